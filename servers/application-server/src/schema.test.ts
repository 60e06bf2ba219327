import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { statements, store } from "./schema.ts";

test("a store of the first version keeps its sessions, and the DevAddr of those that had downlinks", () => {
  const database = new DatabaseSync(":memory:");
  const [first = "", ...later] = store.migrations;
  database.exec(first);
  database.exec(`INSERT INTO device VALUES (1, '0011223344556601', NULL, 1, 'a'), (2, '0011223344556602', NULL, 1, 'b');
    INSERT INTO session VALUES (1, 's', 'k', x'00', 1, 7, NULL), (2, 's', 'k', x'00', 1, -1, NULL);
    INSERT INTO downlink VALUES ('q', 1, 1, '{}', 'done', 's', '26000001', 7, 1)`);
  for (const migration of later) database.exec(migration);
  const sessions = database.prepare("SELECT device, last_f_cnt_down AS last, dev_addr AS devAddr FROM session").all();
  expect(sessions.map((row) => ({ ...row }))).toEqual([
    { device: 1, last: 7, devAddr: "26000001" },
    { device: 2, last: -1, devAddr: null },
  ]);
});

test("what pruning takes away of a personalised device's session leaves its counter, and the highest one counts", () => {
  const database = new DatabaseSync(":memory:");
  for (const migration of store.migrations) database.exec(migration);
  database.exec(`INSERT INTO device VALUES (1, '0011223344556601', NULL, 1, 'a');
    INSERT INTO session VALUES (1, 's', 'k', x'00', 0, 7, 3, '26000001'), (1, 'joined', 'k', x'00', 1, 9, NULL, NULL)`);
  const retired = () =>
    database
      .prepare("SELECT last_f_cnt_down AS last FROM retired_counter")
      .all()
      .map((row) => row.last);
  database.prepare(statements.retirePruned).run(3);
  expect(retired()).toEqual([]);
  database.prepare(statements.retirePruned).run(4);
  expect(retired()).toEqual([7]);
  database.exec("UPDATE session SET last_f_cnt_down = 6");
  database.prepare(statements.retireCounters).run(1);
  expect(retired()).toEqual([7]);
});
