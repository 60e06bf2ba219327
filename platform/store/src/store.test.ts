import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type OpenOptions, openStore, type Store } from "./index.ts";

let dir: string;
let store: Store<"insert" | "claim"> | undefined;
const open = async (more: Partial<OpenOptions<"insert" | "claim">> = {}) => {
  store = await openStore({
    file: join(dir, "store.sqlite"),
    role: "network-server",
    migrations: ["CREATE TABLE session (id INTEGER PRIMARY KEY, f_cnt_up INTEGER NOT NULL, note ANY) STRICT"],
    statements: {
      insert: "INSERT INTO session VALUES (?, ?, ?)",
      claim: "UPDATE session SET f_cnt_up = ?2 WHERE id = ?1 AND f_cnt_up < ?2",
    },
    ...more,
  });
  return store;
};
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "store-"));
});
afterEach(async () => {
  await store?.close();
  store = undefined;
  rmSync(dir, { recursive: true });
});

test("what was committed can be read, every kind of value unchanged", async () => {
  const { commit, read } = await open();
  const octets = new Uint8Array([9, 0, 255, 7]).subarray(1);
  const rows = [
    [1, 5, "é\0x"],
    [2, 2 ** 40, octets],
    [3, -1, null],
    [4, 7n, 0.5],
    [5, 0, new Uint8Array(0)],
  ] as const;
  await commit([{ statement: "insert", rows }]);
  expect(
    read<{ note: unknown; f_cnt_up: number }>("SELECT f_cnt_up, note FROM session ORDER BY id")
      .all()
      .map((row) => ({ ...row })),
  ).toEqual([
    { f_cnt_up: 5, note: "é\0x" },
    { f_cnt_up: 2 ** 40, note: new Uint8Array([0, 255, 7]) },
    { f_cnt_up: -1, note: null },
    { f_cnt_up: 7, note: 0.5 },
    { f_cnt_up: 0, note: new Uint8Array(0) },
  ]);
});

test("compare-and-set: of several claims of one counter exactly one wins, and changes say which", async () => {
  const { commit } = await open();
  await commit([
    {
      statement: "insert",
      rows: [
        [1, 0, null],
        [2, 0, null],
      ],
    },
  ]);
  const claims = await Promise.all([
    commit([
      {
        statement: "claim",
        rows: [
          [1, 4],
          [2, 9],
          [2, 9],
        ],
      },
    ]),
    commit([
      { statement: "claim", rows: [[1, 4]] },
      { statement: "claim", rows: [[2, 10]] },
    ]),
  ]);
  expect(claims.map(({ changes }) => changes)).toEqual([[[1, 1, 0]], [[0], [1]]]);
});

test("a row that the schema refuses fails its own commit unit, whole, and no neighbour", async () => {
  const { commit, read } = await open();
  const units = await Promise.allSettled([
    commit([{ statement: "insert", rows: [[1, 0, null]] }]),
    commit([
      { statement: "insert", rows: [[2, 0, null]] },
      { statement: "insert", rows: [[1, 0, null]] },
      { statement: "insert", rows: [[3, 0, null]] },
    ]),
    commit([{ statement: "insert", rows: [[4, 0, null]] }]),
  ]);
  expect(units.map((unit) => (unit.status === "rejected" ? unit.reason.code : unit.value.changes))).toEqual([
    [[1]],
    "store/constraint",
    [[1]],
  ]);
  expect(
    read("SELECT id FROM session")
      .all()
      .map((row) => row.id),
  ).toEqual([1, 4]);
});

test("the file and its log are for their owner alone: mode 0600", async () => {
  const { commit } = await open();
  await commit([{ statement: "insert", rows: [[1, 0, null]] }]);
  for (const suffix of ["", "-wal", "-shm"])
    expect(statSync(join(dir, `store.sqlite${suffix}`)).mode & 0o777).toBe(0o600);
});
