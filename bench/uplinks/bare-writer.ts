/** The yardstick's durable counters: SQLite in WAL mode, synchronous=FULL, one transaction per batch. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { BareStart } from "./bare.ts";

const { folder, devices, firstDevAddr } = workerData as BareStart;
const database = new DatabaseSync(join(folder, "bare.sqlite"));
database.exec(`
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA cache_size = -65536;
  PRAGMA wal_autocheckpoint = 10000;
  CREATE TABLE counter (dev_addr INTEGER PRIMARY KEY, f_cnt INTEGER NOT NULL) STRICT;
`);
const insert = database.prepare("INSERT INTO counter VALUES (?, -1)");
database.exec("BEGIN");
for (let i = 0; i < devices; i++) insert.run(firstDevAddr + i);
database.exec("COMMIT");

const claim = database.prepare("UPDATE counter SET f_cnt = ?2 WHERE dev_addr = ?1 AND f_cnt < ?2");
parentPort?.on("message", (batch: Uint32Array) => {
  let committed = 0;
  database.exec("BEGIN IMMEDIATE");
  for (let i = 0; i < batch.length; i += 2) committed += Number(claim.run(batch[i] ?? 0, batch[i + 1] ?? 0).changes);
  database.exec("COMMIT");
  parentPort?.postMessage({ committed });
});
parentPort?.postMessage({ ready: true });
