/**
 * Keys that stay open from one request to the next: KEKs and master keys of statements, what LORA-KDF-1 derives from the latter for all
 * devices, and the transport keys of the latest sealed batches. All are void when the token had to begin anew.
 */
import { parseBase64, parseSealedKeys, sealingContext } from "@trefoil/custody";
import type { MasterKeyStatement, SealedKeys } from "@trefoil/wire";
import { labelBlocks } from "./kdf.ts";
import type { KeyStatement } from "./statements/table.ts";
import { type Token, type UnwrapUse, withHandles } from "./token.ts";

export type SealedRefusal = {
  readonly code: "sealed/malformed" | "sealed/not-for-this-receiver" | "sealed/transport" | "sealed/changed";
};
export type RootPurpose = "AppKey" | "NwkKey";

const rememberedTransports = 8;

export class HeldKeys<H> {
  readonly #token: Token<H>;
  #generation: number;
  readonly #ofStatements = new Map<KeyStatement, H>();
  readonly #labels = new Map<MasterKeyStatement, Map<RootPurpose, H>>();
  readonly #transports = new Map<string, H>();

  constructor(token: Token<H>) {
    this.#token = token;
    this.#generation = token.generation;
  }

  /** How many handles of the token are held here. */
  get count(): number {
    const labels = [...this.#labels.values()].reduce((sum, { size }) => sum + size, 0);
    return this.#ofStatements.size + labels + this.#transports.size;
  }

  /** Before each request: handles of a former generation are forgotten. */
  sync(): void {
    if (this.#token.generation === this.#generation) return;
    this.#generation = this.#token.generation;
    this.#ofStatements.clear();
    this.#labels.clear();
    this.#transports.clear();
  }

  /** The KEK or master key of a statement. It stays open. */
  of(statement: KeyStatement): H | SealedRefusal {
    const known = this.#ofStatements.get(statement);
    if (known !== undefined) return known;
    const isKek = statement.kind === "kek";
    const opened = this.unseal(isKek ? statement.kek : statement.key, isKek ? "kek" : "master");
    if ("code" in opened) return opened;
    const [key] = opened;
    if (key === undefined) return { code: "sealed/malformed" };
    this.#ofStatements.set(statement, key);
    return key;
  }

  /** KL of LORA-KDF-1: one for each purpose. */
  labelOf(statement: MasterKeyStatement, purpose: RootPurpose): H | undefined {
    const known = this.#labels.get(statement)?.get(purpose);
    if (known !== undefined) return known;
    const master = this.of(statement);
    if (isRefusal(master)) return undefined;
    const label = this.#token.derive256(master, labelBlocks(purpose, statement), "label");
    this.#labels.set(statement, (this.#labels.get(statement) ?? new Map<RootPurpose, H>()).set(purpose, label));
    return label;
  }

  /** Statements that no longer stand. */
  drop(statements: readonly KeyStatement[]): void {
    for (const statement of statements) {
      const key = this.#ofStatements.get(statement);
      const labels = statement.kind === "master-key" ? this.#labels.get(statement) : undefined;
      for (const handle of [key, ...(labels?.values() ?? [])]) if (handle !== undefined) this.#token.destroy(handle);
      this.#ofStatements.delete(statement);
      if (statement.kind === "master-key") this.#labels.delete(statement);
    }
  }

  /** What was sealed, in its order, each with the use given. The caller destroys the keys. */
  unseal(value: SealedKeys, use: UnwrapUse): readonly H[] | SealedRefusal {
    const token = this.#token;
    const sealed = parseSealedKeys(value);
    if (sealed === undefined) return { code: "sealed/malformed" };
    if (sealed.to !== token.published.fingerprint) return { code: "sealed/not-for-this-receiver" };
    const transport = this.#transport(sealed.transport);
    if (transport === undefined) return { code: "sealed/transport" };
    const keys: H[] = [];
    for (const row of sealed.keys) {
      const key = withHandles(token, (own) =>
        token.unwrap(
          own(token.derive256(transport, sealingContext(row, sealed.to), "wrapping")),
          parseBase64(row.wrapped) ?? new Uint8Array(0),
          use,
        ),
      );
      if (key === undefined) {
        for (const opened of keys) token.destroy(opened);
        return { code: "sealed/changed" };
      }
      keys.push(key);
    }
    return keys;
  }

  /** A batch of devices that shares a transport key costs one RSA operation. */
  #transport(ciphertext: string): H | undefined {
    const known =
      this.#transports.get(ciphertext) ?? this.#token.openTransport(parseBase64(ciphertext) ?? new Uint8Array(0));
    if (known === undefined) return undefined;
    this.#transports.delete(ciphertext);
    for (const [oldest, handle] of this.#transports) {
      if (this.#transports.size < rememberedTransports) break;
      this.#token.destroy(handle);
      this.#transports.delete(oldest);
    }
    this.#transports.set(ciphertext, known);
    return known;
  }
}

export const isRefusal = (value: unknown): value is SealedRefusal =>
  typeof value === "object" && value !== null && "code" in value;
