/**
 * The KEKs of one server, in its own folder: `kek.key`, with which it was born, then `kek.2.key`, `kek.3.key`, … made by POST /kek, each sealed to the
 * vault in `vault.pub`. All that are kept open envelopes, so that the vault may go over to the next one when the owner says so. `keks.json` says since when
 * each exists and when an envelope under it was opened last: nothing secret.
 *
 * A KEK is dropped, its file overwritten, when nobody can need it any more: a later one has been used since, it was neither made nor used in the last
 * thirty days, and its server says that nothing at rest is wrapped under it. Later ones than the last used stay: the owner may have signed them.
 */
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Fault } from "@trefoil/store";
import type { SealedKeys } from "@trefoil/wire";
import type { LabelledKek } from "./envelope.ts";
import { decodeKekFile, encodeKekFile, makeKekSealedTo } from "./kek.ts";
import { parseReceiver } from "./receiver.ts";

type Kept = LabelledKek & { readonly generation: number; madeAt: number; usedAt?: number };
type Times = { readonly [label: string]: { readonly madeAt: number; readonly usedAt?: number } };

const { O_WRONLY, O_CREAT, O_TRUNC, O_SYNC } = constants;
const day = 24 * 3600 * 1000;
const keptFor = 30 * day;
/** More would be a mistake, or an operator in a loop: each is read at every start. */
const mostKept = 16;
const nameOf = (generation: number) => (generation === 1 ? "kek.key" : `kek.${generation}.key`);
const generationOf = (name: string) =>
  name === "kek.key" ? 1 : Number(/^kek\.([1-9][0-9]{0,8})\.key$/.exec(name)?.[1]);

const broken = (name: string, cause?: unknown) =>
  new Fault("start/keys", `${name} cannot be read: run trefoil init`, {
    retry: "never",
    fields: { file: name },
    cause,
  });

export class KekRing {
  readonly #folder: string;
  readonly #now: () => number;
  /** The newest first. */
  #keks: Kept[];

  /** Throws a Fault when there is no KEK, or one that cannot be read. */
  constructor(folder: string, now: () => number = Date.now) {
    this.#folder = folder;
    this.#now = now;
    const times = this.#readTimes();
    this.#keks = readdirSync(folder)
      .filter((name) => generationOf(name) >= 1)
      .map((name) => this.#read(name, times))
      .sort((a, b) => b.generation - a.generation);
    if (this.#keks.length === 0) throw broken("kek.key");
  }

  get newest(): LabelledKek {
    return this.#keks[0] as Kept;
  }
  /** For openEnvelope. */
  get all(): readonly LabelledKek[] {
    return this.#keks;
  }

  /** An envelope under this label was opened: written down once a day. */
  used(label: string): void {
    const kek = this.#keks.find((each) => each.label === label);
    const now = this.#now();
    if (!kek || (kek.usedAt !== undefined && now - kek.usedAt < day)) return;
    kek.usedAt = now;
    this.#writeTimes();
  }

  /** A new KEK, on the disk before it is told. Throws a Fault without a vault to seal it to. */
  make(): { readonly label: string; readonly kek: SealedKeys } {
    const vault = parseReceiver(this.#readText("vault.pub")?.trim());
    if (!vault) throw new Fault("kek/no-vault", "vault.pub names no vault: run trefoil init", { retry: "never" });
    if (this.#keks.length >= mostKept)
      throw new Fault("kek/too-many", `${mostKept} KEKs are kept already: have the owner sign the last one first`, {
        retry: "never",
      });
    const { label: last, generation } = this.#keks[0] as Kept;
    const base = generation === 1 ? last : last.slice(0, -`/${generation}`.length);
    const next = generation + 1;
    const { kek, sealed } = makeKekSealedTo(vault, `${base}/${next}`);
    const file = encodeKekFile(kek);
    this.#write(nameOf(next), file);
    file.fill(0);
    this.#keks.unshift({ ...kek, generation: next, madeAt: this.#now() });
    this.#writeTimes();
    return { label: kek.label, kek: sealed };
  }

  /** Drops what nobody needs. `isAtRest`: whether something of the server's own is wrapped under the label. The labels that went. */
  drop(isAtRest: (label: string) => boolean = () => false): readonly string[] {
    const now = this.#now();
    const lastUse = Math.max(...this.#keks.map(({ usedAt = 0 }) => usedAt));
    const inUse = this.#keks.find(({ usedAt = 0 }) => usedAt === lastUse) as Kept;
    const isOld = ({ madeAt, usedAt = 0 }: Kept) => now - Math.max(madeAt, usedAt) > keptFor;
    const gone = this.#keks.filter(
      (kek) => lastUse > 0 && kek.generation < inUse.generation && isOld(kek) && !isAtRest(kek.label),
    );
    for (const { generation, key } of gone) {
      const path = join(this.#folder, nameOf(generation));
      writeDurably(path, O_WRONLY, new Uint8Array(statSync(path).size));
      unlinkSync(path);
      key[Symbol.dispose]();
    }
    this.#keks = this.#keks.filter((kek) => !gone.includes(kek));
    if (gone.length > 0) this.#writeTimes();
    return gone.map(({ label }) => label);
  }

  #read(name: string, times: Times): Kept {
    const path = join(this.#folder, name);
    let octets: Buffer;
    try {
      octets = readFileSync(path);
    } catch (cause) {
      throw broken(name, cause);
    }
    try {
      const kek = decodeKekFile(octets);
      const generation = generationOf(name);
      if (!kek || (generation > 1 && !kek.label.endsWith(`/${generation}`))) throw broken(name);
      const { madeAt = Math.floor(statSync(path).mtimeMs), usedAt } = times[kek.label] ?? {};
      return { ...kek, generation, madeAt, ...(usedAt === undefined ? {} : { usedAt }) };
    } finally {
      octets.fill(0);
    }
  }

  #readText(name: string): string | undefined {
    try {
      return readFileSync(join(this.#folder, name), "utf8");
    } catch {
      return undefined;
    }
  }

  /** Only times: without them the files' own serve. */
  #readTimes(): Times {
    try {
      return (JSON.parse(this.#readText("keks.json") ?? "{}") ?? {}) as Times;
    } catch {
      return {};
    }
  }
  #writeTimes(): void {
    const rows = this.#keks.map(({ label, madeAt, usedAt }) => [
      label,
      usedAt === undefined ? { madeAt } : { madeAt, usedAt },
    ]);
    this.#write("keks.json", Buffer.from(`${JSON.stringify(Object.fromEntries(rows))}\n`));
  }

  /** Whole or not at all. */
  #write(name: string, contents: Uint8Array): void {
    const path = join(this.#folder, name);
    writeDurably(`${path}.new`, O_WRONLY | O_CREAT | O_TRUNC, contents);
    renameSync(`${path}.new`, path);
  }
}

/** O_SYNC: Node's permission model forbids fsync. */
function writeDurably(path: string, flags: number, contents: Uint8Array): void {
  const file = openSync(path, flags | O_SYNC, 0o600);
  try {
    writeFileSync(file, contents);
  } finally {
    closeSync(file);
  }
}
