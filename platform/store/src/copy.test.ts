import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, test } from "vitest";
import { copyStore } from "./copy.ts";

const folder = mkdtempSync(join(tmpdir(), "copy-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a copy has what was committed, and keeps the marks of the store, while its server has it open", () => {
  const store = new DatabaseSync(join(folder, "store.sqlite"));
  store.exec("PRAGMA journal_mode=WAL; PRAGMA user_version=7; PRAGMA application_id=1234");
  store.exec("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (2)");
  store.exec("BEGIN IMMEDIATE; INSERT INTO t VALUES (3)"); // not committed
  copyStore(join(folder, "store.sqlite"), join(folder, "copy.sqlite"));
  store.exec("COMMIT");
  store.close();
  const copy = new DatabaseSync(join(folder, "copy.sqlite"));
  expect(copy.prepare("SELECT n FROM t").all()).toEqual([{ n: 1 }, { n: 2 }]);
  expect(copy.prepare("PRAGMA user_version").get()).toEqual({ user_version: 7 });
  expect(copy.prepare("PRAGMA application_id").get()).toEqual({ application_id: 1234 });
  copy.close();
  expect(() => copyStore(join(folder, "store.sqlite"), join(folder, "copy.sqlite"))).toThrow();
});
