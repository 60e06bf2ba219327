/**
 * The owner's statements as this process of the vault knows them: checked again at the start, whoever wrote the file; taken in by the first
 * process, and read again by the others when the file has grown.
 */
import {
  type Admitted,
  type AuditEvent,
  hashOfLine,
  parseOwnerPublicKey,
  subjectText,
  verifyStatement,
} from "@trefoil/custody";
import { Fault } from "@trefoil/service";
import type { SignedStatement, Statement } from "@trefoil/wire";
import { type HeldKeys, isRefusal } from "../held-keys.ts";
import type { Token } from "../token.ts";
import { type StatementFile, statementFile } from "./file.ts";
import { type StatementTable, statementTable } from "./table.ts";
import { statementTally } from "./tally.ts";

/** How far an owner's clock may be ahead: a statement from far in the future would lock its subject until then. */
const aheadMs = 24 * 3_600_000;

export type Statements = {
  readonly table: StatementTable;
  /** Takes in what another process has added. */
  readonly refresh: () => void;
  /** Checks, and keeps it durably before it counts. */
  readonly admit: (signed: SignedStatement) => { readonly outcome: Admitted; readonly event: AuditEvent };
  readonly page: (after: string | undefined) => readonly SignedStatement[];
};

/** Throws when a line of the file does not stand: the file is not the vault's work. */
export function openStatements<H>(
  dataDir: string,
  token: Token<H>,
  held: HeldKeys<H>,
  { clock, isFirst }: { readonly clock: () => number; readonly isFirst: boolean },
): Statements {
  const owner = parseOwnerPublicKey(token.ownerPublicKey);
  if (owner === undefined) throw new TypeError("the pinned owner's key is none");
  const { fingerprint } = token.published;
  const file: StatementFile = statementFile(dataDir);
  const table = statementTable();
  const tally = statementTally(dataDir, token);

  function refresh(): void {
    file.read((signed) => {
      const verified = verifyStatement(owner as NonNullable<typeof owner>, fingerprint, signed);
      const verdict = verified.result === "valid" ? table.judge(verified.statement) : verified.code;
      // Twice the same is what a disk leaves that failed between two files.
      if (verified.result === "refused" || (verdict !== "new" && verdict !== "same"))
        throw new Fault("vault/statements-damaged", `statements.jsonl has a line that does not stand (${verdict})`, {
          retry: "never",
        });
      tally.add(signed);
      if (verdict === "new") held.drop(table.take(verified.statement));
    });
  }

  function judge(signed: SignedStatement): { readonly outcome: Admitted; readonly statement?: Statement } {
    const verified = verifyStatement(owner as NonNullable<typeof owner>, fingerprint, signed);
    if (verified.result === "refused") return { outcome: verified };
    const { statement } = verified;
    if (statement.issuedAt > clock() + aheadMs)
      return { outcome: { result: "refused", code: "statement/from-the-future" }, statement };
    const verdict = table.judge(statement);
    if (verdict === "same") return { outcome: { result: "admitted" }, statement };
    if (verdict !== "new") return { outcome: { result: "refused", code: verdict }, statement };
    const isKeyed = statement.kind === "kek" || statement.kind === "master-key";
    const opened = isKeyed ? held.of(statement) : undefined;
    if (isRefusal(opened)) return { outcome: { result: "refused", code: opened.code }, statement };
    try {
      const count = tally.next(signed);
      file.append(signed);
      count();
    } catch (error) {
      if (isKeyed) held.drop([statement]);
      throw error;
    }
    held.drop(table.take(statement));
    return { outcome: { result: "admitted" }, statement };
  }

  refresh();
  if (isFirst) tally.check();
  return {
    table,
    refresh,
    admit(signed) {
      const { outcome, statement } = judge(signed);
      const event: AuditEvent = {
        event: "statement",
        result: outcome.result === "admitted" ? "admitted" : outcome.code,
        ...(statement === undefined
          ? {}
          : { kind: statement.kind, subject: subjectText(statement), issuedAt: statement.issuedAt }),
        payload: hashOfLine(signed.payload),
      };
      return { outcome, event };
    },
    page: (after) => file.page(after, (signed) => table.stands(JSON.parse(signed.payload) as Statement)),
  };
}
