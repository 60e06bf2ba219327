/** How many rows a second, and what a row costs: `node platform/store/test/bench.ts`. The figures in README.md come from here. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Op, openStore } from "../src/index.ts";

const devices = 10_000;
const dir = mkdtempSync(join(tmpdir(), "store-bench-"));
const store = await openStore({
  file: join(dir, "store.sqlite"),
  role: "network-server",
  migrations: [
    `CREATE TABLE session (id INTEGER PRIMARY KEY, f_cnt_up INTEGER NOT NULL, at INTEGER NOT NULL, octets BLOB NOT NULL) STRICT;
     CREATE TABLE outbox (id INTEGER PRIMARY KEY, octets BLOB NOT NULL) STRICT`,
  ],
  statements: {
    insert: "INSERT INTO session VALUES (?, ?, ?, ?)",
    claim: "UPDATE session SET f_cnt_up = ?2, at = ?3 WHERE id = ?1 AND f_cnt_up < ?2",
    append: "INSERT INTO outbox (octets) VALUES (?)",
  },
});
type Unit = readonly Op<"insert" | "claim" | "append">[];
await store.commit([
  { statement: "insert", rows: Array.from({ length: devices }, (_, id) => [id, 0, 0, new Uint8Array(32)]) },
]);

const event = new Uint8Array(250);
const claims = (n: number, from: number) =>
  Array.from({ length: n }, (_, i) => [(from + i) % devices, from, from * 1000]);
const loads: { name: string; rows: number; unit: (i: number) => Unit }[] = [
  { name: "1 claim a unit", rows: 1, unit: (i) => [{ statement: "claim", rows: claims(1, i) }] },
  { name: "100 claims a unit", rows: 100, unit: (i) => [{ statement: "claim", rows: claims(100, i) }] },
  {
    name: "claim and 250-octet event a unit",
    rows: 2,
    unit: (i) => [
      { statement: "claim", rows: claims(1, i) },
      { statement: "append", rows: [[event]] },
    ],
  },
];
const turn = () => new Promise((resolve) => setImmediate(resolve));
const wait = () => new Promise((resolve) => setTimeout(resolve, 1));
let next = 1;

/** As fast as it goes, with 4000 rows waiting. */
async function most({ rows, unit }: (typeof loads)[number]): Promise<number> {
  let done = 0;
  const start = performance.now();
  while (performance.now() - start < 3_000) {
    while (store.waitingRows < 4_000) void store.commit(unit(next++)).then(() => (done += rows));
    await turn();
  }
  return done / 3;
}

/** CPU of the main thread for a row, at 40,000 rows/s, beyond what an idle loop with the same making of rows costs. */
async function cost({ rows, unit }: (typeof loads)[number]): Promise<number> {
  const run = async (use: (ops: Unit) => void) => {
    const start = performance.now();
    const cpu = process.threadCpuUsage();
    for (let sent = 0; sent < 120_000; await wait()) {
      for (const due = (performance.now() - start) * 40; sent < due; sent += rows) use(unit(next++));
    }
    const { user, system } = process.threadCpuUsage(cpu);
    return (user + system) / 120_000;
  };
  const idle = await run(() => undefined);
  return (await run((ops) => void store.commit(ops))) - idle;
}

for (const load of loads) {
  const rowsPerSecond = Math.round(await most(load));
  console.log(`${load.name}: ${rowsPerSecond} rows/s, ${(await cost(load)).toFixed(2)} µs a row on the main thread`);
}
await store.close();
rmSync(dir, { recursive: true });
