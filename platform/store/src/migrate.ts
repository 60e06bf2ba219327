/**
 * Opens a store for writing: refuses what is not ours before anything is altered, then brings the schema up to date.
 * `PRAGMA application_id` says whose store it is, `PRAGMA user_version` how many migrations it has seen.
 */
import { chmodSync, closeSync, openSync, statSync } from "node:fs";
import { basename } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Role } from "@trefoil/wire";
import { applicationIds, roleOfApplicationId } from "./application-ids.ts";
import { Fault } from "./fault.ts";

export type Schema = { readonly file: string; readonly role: Role; readonly migrations: readonly string[] };

/** ATTACH (and with it VACUUM INTO) would reach other files: Node's permission model does not stop SQLite. */
const options = { limits: { attach: 0 }, defensive: true, enableDoubleQuotedStringLiterals: false, timeout: 5_000 };

/** `synchronous=FULL`: in WAL mode each commit is on the disk before it is answered. */
const tuning = [
  "PRAGMA journal_mode=WAL",
  "PRAGMA synchronous=FULL",
  "PRAGMA cache_size=-65536",
  "PRAGMA wal_autocheckpoint=10000",
  "PRAGMA journal_size_limit=67108864",
  "PRAGMA temp_store=MEMORY",
  "PRAGMA trusted_schema=OFF",
];

export function openForWriting(schema: Schema): DatabaseSync {
  const isNew = createPrivately(schema.file);
  if (!isNew) check(schema);
  const database = new DatabaseSync(schema.file, options);
  try {
    for (const pragma of tuning) database.exec(pragma);
    migrate(database, schema);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

export const openForReading = (file: string): DatabaseSync => {
  const database = new DatabaseSync(file, { ...options, readOnly: true });
  database.exec("PRAGMA cache_size=-32768; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF");
  return database;
};

/** Makes the file, empty, mode 0600 (its -wal and -shm get the same mode), or takes other people's rights away from it. True when it is empty. */
function createPrivately(file: string): boolean {
  try {
    closeSync(openSync(file, "a", 0o600));
    const { mode, size } = statSync(file);
    if ((mode & 0o077) !== 0) chmodSync(file, 0o600);
    return size === 0;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown";
    if (code === "ENOSPC") throw new Fault("store/full", "the disk is full", { cause });
    throw new Fault("store/unreadable", `${basename(file)} cannot be opened (${code})`, { retry: "never", cause });
  }
}

/** Looks, through a connection that cannot write. */
function check({ file, role, migrations }: Schema): void {
  const database = new DatabaseSync(file, { ...options, readOnly: true });
  try {
    const { application_id: id } = database.prepare("PRAGMA application_id").get() as { application_id: number };
    const name = basename(file);
    if (id !== applicationIds[role]) {
      const { tables } = database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get() as { tables: number };
      if (id === 0 && tables === 0) return; // Made, but never migrated: the first start was cut off.
      const owner = roleOfApplicationId(id);
      const message = owner
        ? `${name} belongs to the ${owner}, not to the ${role}`
        : `${name} is a database, but not one of Trefoil's`;
      throw new Fault(owner ? "store/other-role" : "store/foreign", message, {
        retry: "never",
        fields: { file: name },
      });
    }
    const version = versionOf(database);
    if (version > migrations.length) {
      throw new Fault(
        "store/newer",
        `${name} was written by a newer Trefoil (its version is ${version}, this one knows ${migrations.length}): start that one, or restore a backup`,
        { retry: "never", fields: { version, known: migrations.length } },
      );
    }
  } finally {
    database.close();
  }
}

/** All missing migrations in one transaction: after a crash a store is of the old version or of the new one. */
function migrate(database: DatabaseSync, { role, migrations }: Schema): void {
  const version = versionOf(database);
  if (version === migrations.length && version > 0) return;
  database.exec("BEGIN IMMEDIATE");
  try {
    for (const migration of migrations.slice(version)) database.exec(migration);
    database.exec(`PRAGMA application_id=${applicationIds[role]}; PRAGMA user_version=${migrations.length}`);
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

export const versionOf = (database: DatabaseSync): number =>
  (database.prepare("PRAGMA user_version").get() as { user_version: number }).user_version;
