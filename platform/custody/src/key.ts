/** Key material with one purpose. It prints as its role and nothing else; a wrong role does not compile. */
import { randomFillSync } from "node:crypto";
import { secretOctets } from "./octets.ts";

/** Where each key may be is the table of docs/authority.md; here are only the lengths that it may have. */
export const keyLengths = {
  AppKey: [16],
  NwkKey: [16],
  GenAppKey: [16],
  NwkSKey: [16],
  FNwkSIntKey: [16],
  SNwkSIntKey: [16],
  NwkSEncKey: [16],
  AppSKey: [16],
  JSIntKey: [16],
  JSEncKey: [16],
  /** TS002 allows 128, 192 and 256 bits. */
  KEK: [16, 24, 32],
  /** A maker's (LORA-KDF-1). */
  MasterKey: [32],
} as const satisfies { readonly [role: string]: readonly number[] };
export type KeyRole = keyof typeof keyLengths;

export const isKeyRole = (text: unknown): text is KeyRole =>
  typeof text === "string" && Object.hasOwn(keyLengths, text);
export const isKeyLength = (role: KeyRole, length: number): boolean =>
  (keyLengths[role] as readonly number[]).includes(length);

export class Key<Role extends KeyRole = KeyRole> {
  readonly role: Role;
  readonly #octets: Uint8Array;

  /** Copies `octets`; wiping the original is its owner's business. */
  constructor(role: Role, octets: Uint8Array) {
    if (!isKeyLength(role, octets.length)) throw new RangeError(`${role}: ${octets.length} octets is no length for it`);
    this.role = role;
    this.#octets = secretOctets(octets.length);
    this.#octets.set(octets);
  }

  /** The one way out: reviewers search for `.expose(`. `use` must not keep the octets. */
  expose<T>(use: (octets: Uint8Array) => T): T {
    return use(this.#octets);
  }

  /** Wipes it. JavaScript cannot promise that no copy is left; the border that counts is the process. */
  [Symbol.dispose](): void {
    this.#octets.fill(0);
  }

  toString(): string {
    return `Key<${this.role}>`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** A new random key. */
export function makeKey<Role extends KeyRole>(role: Role, length: number = keyLengths[role][0]): Key<Role> {
  const octets = randomFillSync(secretOctets(length));
  try {
    return new Key(role, octets);
  } finally {
    octets.fill(0);
  }
}
