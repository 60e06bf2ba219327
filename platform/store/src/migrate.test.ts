import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openStore } from "./index.ts";

let dir: string;
let file: string;
const one = "CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT; INSERT INTO a VALUES (1), (2)";
const two = "ALTER TABLE a ADD COLUMN name TEXT NOT NULL DEFAULT 'x'";
const open = (migrations: readonly string[], role: "join-server" | "network-server" = "join-server") =>
  openStore({ file, role, migrations, statements: {} });
const hash = () => createHash("sha256").update(readFileSync(file)).digest("hex");
const refusal = async (opening: Promise<unknown>) =>
  opening.then(
    () => "opened",
    ({ code, retry, message }) => ({ code, retry, message }),
  );

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "store-"));
  file = join(dir, "store.sqlite");
});
afterEach(() => rmSync(dir, { recursive: true }));

test("an older store is brought up to date and keeps its rows", async () => {
  await (await open([one])).close();
  const store = await open([one, two]);
  expect(store.version).toBe(2);
  expect(
    store
      .read("SELECT * FROM a")
      .all()
      .map((row) => ({ ...row })),
  ).toEqual([
    { id: 1, name: "x" },
    { id: 2, name: "x" },
  ]);
  await store.close();
});

test("a migration that fails leaves the store as it was, also when it was not the first of its kind", async () => {
  await (await open([one])).close();
  const failed = await refusal(open([one, two, "INSERT INTO nowhere VALUES (1)"]));
  expect(failed).toMatchObject({ code: "store/failed" });
  const store = await open([one]);
  expect(store.version).toBe(1);
  expect(store.read("SELECT count(*) AS n FROM pragma_table_info('a')").get()?.n).toBe(1);
  await store.close();
});

test("a store from a newer version is refused with a clear sentence, and not altered", async () => {
  await (await open([one, two])).close();
  const before = hash();
  expect(await refusal(open([one]))).toEqual({
    code: "store/newer",
    retry: "never",
    message:
      "store.sqlite was written by a newer Trefoil (its version is 2, this one knows 1): start that one, or restore a backup",
  });
  expect(hash()).toBe(before);
});

test("a store of another server is refused, and not altered", async () => {
  await (await open([one])).close();
  const before = hash();
  expect(await refusal(open([one], "network-server"))).toMatchObject({
    code: "store/other-role",
    retry: "never",
    message: "store.sqlite belongs to the join-server, not to the network-server",
  });
  expect(hash()).toBe(before);
});

test("a foreign database and a file that is no database are refused, and not altered", async () => {
  const foreign = new DatabaseSync(file);
  foreign.exec("CREATE TABLE theirs (x)");
  foreign.close();
  const before = hash();
  expect(await refusal(open([one]))).toMatchObject({ code: "store/foreign", retry: "never" });
  expect(hash()).toBe(before);

  writeFileSync(file, "dear diary, this is not a database at all. ".repeat(100));
  const text = hash();
  expect(await refusal(open([one]))).toMatchObject({ code: "store/not-a-store", retry: "never" });
  expect(hash()).toBe(text);
});

test("a first start that was cut off before its migration is taken up again", async () => {
  const cut = new DatabaseSync(file);
  cut.exec("PRAGMA journal_mode=WAL");
  cut.close();
  const store = await open([one]);
  expect(store.version).toBe(1);
  await store.close();
});

test("rights that others have on the file are taken away", async () => {
  await (await open([one])).close();
  chmodSync(file, 0o644);
  await (await open([one])).close();
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test("a folder that is not there is a clear refusal", async () => {
  file = join(dir, "missing", "store.sqlite");
  expect(await refusal(open([one]))).toMatchObject({
    code: "store/unreadable",
    message: "store.sqlite cannot be opened (ENOENT)",
  });
});

test("ATTACH and VACUUM INTO reach no other file (DESIGN §2), neither by reads nor by migrations", async () => {
  const other = join(dir, "other.sqlite");
  const store = await open([one]);
  expect(() => store.read(`ATTACH '${other}' AS other`).all()).toThrow(/too many attached/);
  expect(() => store.read(`VACUUM INTO '${other}'`).all()).toThrow();
  expect(() => store.read("INSERT INTO a VALUES (9)").all()).toThrow(/readonly/);
  await store.close();
  expect(await refusal(open([one, `ATTACH '${other}' AS other`]))).toMatchObject({ code: "store/failed" });
  expect(() => statSync(other)).toThrow(/ENOENT/);
});
