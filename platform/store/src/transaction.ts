/**
 * One batch, one transaction. Where a row is refused the whole batch is run again with a savepoint for each unit, so that
 * only the unit that holds the row fails.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { type Batch, type Walker, walkBatch } from "./batch.ts";
import { type Failure, failureOf, isUnitFault } from "./failures.ts";

export type Result = {
  /** One number for each row of the batch: how many rows of the table it changed. */
  readonly changes: Int32Array<ArrayBuffer>;
  readonly failed: readonly { readonly unit: number; readonly failure: Failure }[];
};

/** Runs and commits. Throws where no unit of it was committed. */
export function runBatch(database: DatabaseSync, statements: readonly StatementSync[], batch: Batch): Result {
  try {
    return { changes: inTransaction(database, () => plain(statements, batch)), failed: [] };
  } catch (error) {
    if (!isUnitFault(error)) throw error;
  }
  return inTransaction(database, () => withSavepoints(database, statements, batch));
}

function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    // SQLite itself rolls back after some errors (a full disk).
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

const countRows = ({ shape }: Batch) => {
  let rows = 0;
  for (let at = 0; at < shape.length; )
    for (let ops = shape[at++] as number; ops > 0; ops--, at += 3) rows += shape[at + 1] as number;
  return rows;
};

function plain(statements: readonly StatementSync[], batch: Batch): Int32Array<ArrayBuffer> {
  const changes = new Int32Array(countRows(batch));
  let row = 0;
  walkBatch(batch, {
    unit: () => {},
    row: (statement, values) => {
      changes[row++] = (statements[statement] as StatementSync).run(...values).changes as number;
    },
  });
  return changes;
}

function withSavepoints(database: DatabaseSync, statements: readonly StatementSync[], batch: Batch): Result {
  const changes = new Int32Array(countRows(batch));
  const failed: { unit: number; failure: Failure }[] = [];
  let row = 0;
  let current = -1;
  let broken = false;
  const end = () => {
    if (current >= 0) database.exec(broken ? "ROLLBACK TO unit; RELEASE unit" : "RELEASE unit");
  };
  const walker: Walker = {
    unit: (unit) => {
      end();
      database.exec("SAVEPOINT unit");
      current = unit;
      broken = false;
    },
    row: (statement, values) => {
      const at = row++;
      if (broken) return;
      try {
        changes[at] = (statements[statement] as StatementSync).run(...values).changes as number;
      } catch (error) {
        if (!isUnitFault(error)) throw error;
        broken = true;
        failed.push({ unit: current, failure: failureOf(error) });
      }
    },
  };
  walkBatch(batch, walker);
  end();
  return { changes, failed };
}
