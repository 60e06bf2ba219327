/** A copy of a store, for backups. */
import { DatabaseSync } from "node:sqlite";

/** Copies a store as it is at this moment, also while its server writes to it. `to` must not exist. */
export function copyStore(from: string, to: string): void {
  const database = new DatabaseSync(from, { readOnly: true, timeout: 10_000 });
  try {
    database.prepare("VACUUM INTO ?").run(to);
  } finally {
    database.close();
  }
}
