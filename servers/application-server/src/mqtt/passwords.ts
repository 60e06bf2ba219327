/**
 * Passwords of applications: generated, shown once, kept as scrypt hashes. A password that was right once is remembered as a keyed
 * hash in memory, so that a thousand clients that come back after a restart do not cost a thousand scrypts each.
 */
import { createHmac, randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";
import { Attempts } from "./attempts.ts";

const cost: ScryptOptions = { N: 16_384, r: 8, p: 1 };
const hashOctets = 32;
const longestPassword = 256;
/** scrypt runs in Node's thread pool, which has other work too. */
const mostAtOnce = 2;
const mostWaiting = 64;

export type Secret = { readonly salt: Uint8Array; readonly hash: Uint8Array };
export type Verdict = "right" | "mqtt/wrong-credentials" | "mqtt/too-many-attempts" | "mqtt/busy";

/** 256 bits, as text that needs no quoting anywhere. */
export const makePassword = (): string => randomBytes(32).toString("base64url");

export async function hashPassword(password: string): Promise<Secret> {
  const salt = randomBytes(16);
  return { salt, hash: await derive(Buffer.from(password), salt) };
}

export class Credentials {
  readonly #secretOf: (applicationId: string) => Secret | undefined;
  readonly #attempts = new Attempts();
  readonly #key = randomBytes(32);
  readonly #known = new Map<string, Buffer>();
  /** Stands for applications that do not exist: they take as long. */
  readonly #nobody: Secret = { salt: randomBytes(16), hash: randomBytes(hashOctets) };
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(secretOf: (applicationId: string) => Secret | undefined) {
    this.#secretOf = secretOf;
  }

  /** Whether this is the application's password. `address` is where the attempt came from. */
  async verify(applicationId: string, password: Uint8Array, address: string, now = Date.now()): Promise<Verdict> {
    if (password.length === 0 || password.length > longestPassword) return "mqtt/wrong-credentials";
    const secret = this.#secretOf(applicationId);
    const digest = createHmac("sha256", this.#key).update(`${applicationId}\0`).update(password).digest();
    const known = this.#known.get(applicationId);
    if (secret !== undefined && known !== undefined && timingSafeEqual(known, digest)) return "right";
    if (!this.#attempts.allow(address, applicationId, now)) return "mqtt/too-many-attempts";
    if (this.#waiting.length >= mostWaiting) return "mqtt/busy";
    const { salt, hash } = secret ?? this.#nobody;
    const derived = await this.#inTurn(() => derive(password, salt));
    if (!timingSafeEqual(derived, hash) || secret === undefined) return "mqtt/wrong-credentials";
    this.#known.set(applicationId, digest);
    return "right";
  }

  /** The application is gone. */
  forget(applicationId: string): void {
    this.#known.delete(applicationId);
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= mostAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }
}

function derive(password: Uint8Array, salt: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, hashOctets, cost, (error, hash) => (error === null ? resolve(hash) : reject(error)));
  });
}
