/** What SQLite reports, as the few things that a caller can act on. */
import { Fault, type Retry } from "./fault.ts";

/** Crosses from the worker to the main thread: an Error's class would not survive. */
export type Failure = { readonly code: string; readonly message: string; readonly retry: Retry };

type Row = { readonly code: string; readonly says: string; readonly retry: Retry };

/** By primary result code (https://www.sqlite.org/rescode.html): extended codes keep it in their lowest octet. */
const rows: { readonly [primary: number]: Row } = {
  5: { code: "store/busy", says: "another process holds the store", retry: "later" },
  8: { code: "store/read-only", says: "the store cannot be written", retry: "later" },
  9: { code: "store/interrupted", says: "the transaction was interrupted", retry: "now" },
  7: { code: "store/no-memory", says: "there is not enough memory for the store", retry: "later" },
  10: { code: "store/io", says: "the disk reported an error", retry: "later" },
  11: { code: "store/damaged", says: "the store is damaged: restore it from a backup", retry: "never" },
  13: { code: "store/full", says: "the disk is full", retry: "later" },
  14: { code: "store/unreadable", says: "the store cannot be opened", retry: "never" },
  26: { code: "store/not-a-store", says: "the file is not a Trefoil store", retry: "never" },
};

/** A row that the schema refuses: the fault of its commit unit alone, not of its neighbours. */
const unitFaults = new Set([18 /* TOOBIG */, 19 /* CONSTRAINT */, 20 /* MISMATCH */, 25 /* RANGE */]);

const resultCode = (error: unknown) => (error as { errcode?: number }).errcode;
const primary = (error: unknown) => (resultCode(error) ?? 0) & 0xff;

/** True where only the commit unit that holds the row is wrong. A value that cannot be bound is such a thing too. */
export const isUnitFault = (error: unknown) => unitFaults.has(primary(error)) || resultCode(error) === undefined;

export function failureOf(error: unknown): Failure {
  if (error instanceof Fault) return { code: error.code, message: error.message, retry: error.retry };
  if (unitFaults.has(primary(error))) {
    // SQLite's sentence names table and column, never the value: "UNIQUE constraint failed: device.dev_eui".
    return { code: "store/constraint", message: (error as Error).message, retry: "never" };
  }
  const row = rows[primary(error)] ?? {
    code: "store/failed",
    says: `the store failed (${resultCode(error) ?? (error as { code?: string }).code ?? "unknown"})`,
    retry: "later",
  };
  return { code: row.code, message: row.says, retry: row.retry };
}

export const faultOf = ({ code, message, retry }: Failure) => new Fault(code, message, { retry });
