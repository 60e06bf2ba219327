/**
 * Statements of the realm owner, as files of the owner's folder: first waiting, then in force or refused. The vault checks and keeps
 * them on its own; these are the owner's record, from which a vault that lost its statements can be told them again.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { signStatement } from "@trefoil/custody";
import type { SignedStatement, Statement } from "@trefoil/wire";
import { AdminError, call } from "../admin/client.ts";
import { UserError } from "../commands/output.ts";
import { writePrivate } from "../supervisor/data-folder.ts";
import type { Owner } from "./owner.ts";
import { readRecord, vaultFingerprint } from "./record.ts";

type Common = "version" | "vault" | "issuedAt";
/** What a statement says, without which vault it is for and when. */
export type Saying = Statement extends infer S ? (S extends Statement ? Omit<S, Common> : never) : never;

const states = { waiting: ".json", "in force": ".done", refused: ".refused" } as const;
export type State = keyof typeof states;
export type Kept = {
  readonly file: string;
  readonly state: State;
  readonly statement: Statement;
  readonly signed: SignedStatement;
};

const folderOf = (dataDir: string) => join(dataDir, "owner", "statements");
const pathOf = (dataDir: string, file: string, state: State) => join(folderOf(dataDir), `${file}${states[state]}`);

/** Everything the owner ever said in this realm, the oldest first. */
export function keptStatements(dataDir: string): readonly Kept[] {
  const folder = folderOf(dataDir);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const state = (Object.keys(states) as State[]).find((one) => name.endsWith(states[one]));
      if (state === undefined) return [];
      const signed = JSON.parse(readFileSync(join(folder, name), "utf8")) as SignedStatement;
      const statement = JSON.parse(signed.payload) as Statement;
      return [{ file: name.slice(0, -states[state].length), state, statement, signed }];
    });
}

/** Those that stand or will, the oldest first. */
export const spoken = (dataDir: string): readonly Statement[] =>
  keptStatements(dataDir).flatMap(({ state, statement }) => (state === "refused" ? [] : [statement]));

/** Signs and keeps a statement for the vault named; it waits until it is handed in. */
export function keepStatement(dataDir: string, owner: Pick<Owner, "key">, vault: string, saying: Saying): Kept {
  // Later than all before, whatever the clock says: of two about one subject the later stands.
  const last = keptStatements(dataDir).at(-1)?.statement.issuedAt ?? 0;
  const statement = { ...saying, version: 1, vault, issuedAt: Math.max(Date.now(), last + 1) } as Statement;
  const signed = signStatement(owner.key, statement);
  const digest = createHash("sha256").update(signed.payload).digest("hex").slice(0, 8);
  const file = `${String(statement.issuedAt).padStart(14, "0")}-${statement.kind}-${digest}`;
  mkdirSync(folderOf(dataDir), { recursive: true, mode: 0o700 });
  writePrivate(pathOf(dataDir, file, "waiting"), JSON.stringify(signed));
  return { file, state: "waiting", statement, signed };
}

export type HandedIn = Pick<Kept, "file" | "statement"> & {
  readonly refusal?: { readonly code: string; readonly message: string };
};

/** What the vault says no to, for good. Anything else (it is not there, its token is gone) may pass. */
const isRefusal = (error: unknown): error is AdminError =>
  error instanceof AdminError && /^(statement|sealed|seal)\//.test(error.code);

/** Gives the waiting ones to the running join-server, whose vault judges them, the oldest first. */
export async function handInStatements(dataDir: string): Promise<readonly HandedIn[]> {
  const done: HandedIn[] = [];
  for (const { file, statement, signed } of keptStatements(dataDir).filter(({ state }) => state === "waiting")) {
    const becomes = (state: State) => renameSync(pathOf(dataDir, file, "waiting"), pathOf(dataDir, file, state));
    try {
      await call(dataDir, "join-server", "POST", "/statements", signed);
      becomes("in force");
      done.push({ file, statement });
    } catch (error) {
      if (!isRefusal(error)) throw error;
      becomes("refused");
      done.push({ file, statement, refusal: { code: error.code, message: error.message } });
    }
  }
  return done;
}

const inWords: { readonly [code: string]: string } = {
  "statement/older": "a later statement about the same stands already",
  "statement/label-taken": "another receiver has a KEK of this label: choose another label",
  "statement/other-vault": "it is for another vault",
  "statement/not-signed-by-owner": "this vault has another realm owner",
  "statement/malformed": "it does not understand the statement",
};
const refusalText = ({ code, message }: { readonly code: string; readonly message: string }): string =>
  `the vault refused it: ${inWords[code] ?? message}`;

/** Hands everything in again, to a vault that lost what it was told. Those that it still has it refuses as not later: they stand. */
export function waitAgain(dataDir: string): void {
  for (const { file, state } of keptStatements(dataDir))
    if (state === "in force") renameSync(pathOf(dataDir, file, state), pathOf(dataDir, file, "waiting"));
}

/** Signs, keeps and hands in. "waiting": the network does not run, and gets them when it starts. Throws what the vault refused. */
export async function say(
  dataDir: string,
  owner: Pick<Owner, "key">,
  sayings: readonly Saying[],
): Promise<"in force" | "waiting"> {
  const vault = vaultFingerprint(readRecord(dataDir));
  const mine = new Set(sayings.map((saying) => keepStatement(dataDir, owner, vault, saying).file));
  try {
    const refused = (await handInStatements(dataDir)).find(({ file, refusal }) => mine.has(file) && refusal);
    if (refused?.refusal) throw new UserError(refused.refusal.code, refusalText(refused.refusal));
    return "in force";
  } catch (error) {
    if (error instanceof AdminError && !isRefusal(error)) return "waiting";
    throw error;
  }
}
