import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type OpenOptions, openStore, prepareStore, type Store } from "../src/index.ts";

const undo: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});
type Hot = "add" | "empty";
const folder = () => {
  const dir = mkdtempSync(join(tmpdir(), "store-"));
  undo.push(() => rmSync(dir, { recursive: true }));
  return dir;
};
const options = (dir: string): OpenOptions<Hot> => ({
  file: join(dir, "store.sqlite"),
  role: "join-server",
  migrations: ["CREATE TABLE nonce (id INTEGER PRIMARY KEY, octets BLOB) STRICT"],
  statements: { add: "INSERT INTO nonce VALUES (?, ?)", empty: "DELETE FROM nonce WHERE id > ?" },
});
const open = async (dir: string, more: Partial<OpenOptions<Hot>> = {}) => {
  const store = await openStore({ ...options(dir), ...more });
  undo.push(() => store.close());
  return store;
};
const add = (store: Store<Hot>, id: number, octets = 4_000) =>
  store.commit([{ statement: "add", rows: [[id, new Uint8Array(octets)]] }]).then(
    () => "committed",
    ({ code }) => code as string,
  );
const ids = (store: Store<Hot>) =>
  store
    .read<{ id: number }>("SELECT id FROM nonce ORDER BY id")
    .all()
    .map(({ id }) => id);

/** Fills until a commit is refused. The ids that were acknowledged, and the refusal. */
async function fill(store: Store<Hot>, from: number, octets?: number) {
  const acknowledged: number[] = [];
  for (let id = from; id < from + 5_000; id++) {
    const fate = await add(store, id, octets);
    if (fate !== "committed") return { acknowledged, fate };
    acknowledged.push(id);
  }
  throw new Error("it never became full");
}

test("a full store refuses with store/full, keeps all that was acknowledged, and works again when there is space", async () => {
  const store = await open(folder(), { maxPages: 40 });
  const { acknowledged, fate } = await fill(store, 1);
  expect(fate).toBe("store/full");
  expect(acknowledged.length).toBeGreaterThan(5);
  expect(ids(store)).toEqual(acknowledged);
  await store.commit([{ statement: "empty", rows: [[2]] }]);
  expect(await add(store, 9_999)).toBe("committed");
  expect(ids(store)).toEqual([1, 2, 9_999]);
});

const tmpfs = (dir: string): boolean => {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", dir], { stdio: "ignore" });
    undo.push(() => void execFileSync("umount", ["-l", dir]));
    return true;
  } catch {
    return false;
  }
};

test("a full disk refuses with store/full; space comes back, commits work again; a new process finds all", async ({
  skip,
}) => {
  const dir = folder();
  if (!tmpfs(dir)) skip("needs root and the right to mount");
  const ballast = join(dir, "ballast");
  writeFileSync(ballast, new Uint8Array(1024 * 1024));
  const store = await openStore(options(dir));
  const first = await fill(store, 1, 20_000);
  expect(first.fate).toBe("store/full");
  expect(ids(store)).toEqual(first.acknowledged);
  rmSync(ballast);
  const second = await fill(store, 10_000, 20_000);
  expect(second.acknowledged.length).toBeGreaterThan(5);
  await store.close();
  const again = await openStore(options(dir));
  expect(ids(again)).toEqual([...first.acknowledged, ...second.acknowledged]);
  await again.close();
});

test("a lost worker: what waits is refused with store/lost, and the owner is told", async () => {
  const dir = folder();
  const prepared = await prepareStore();
  const store = await prepared.open(options(dir));
  const fates = Promise.all([add(store, 1), add(store, 2)]);
  await prepared.discard();
  expect(await fates).toEqual(["store/lost", "store/lost"]);
  expect((await store.lost).code).toBe("store/lost");
  expect(await add(store, 3)).toBe("store/lost");
});

test("more than the disk can take is refused instead of filling the memory; close commits what waits", async () => {
  const dir = folder();
  const store = await openStore(options(dir));
  const fates: Promise<string>[] = [];
  const rows = Array.from({ length: 100_000 }, () => [null, null]);
  for (let i = 0; i < 6; i++)
    fates.push(
      store.commit([{ statement: "add", rows }]).then(
        () => "committed",
        ({ code }) => code,
      ),
    );
  expect(store.waitingRows).toBe(500_000);
  await store.close();
  expect(await Promise.all(fates)).toEqual([...Array(5).fill("committed"), "store/overloaded"]);
  expect(await add(store, -1)).toBe("store/closed");
  const again = await openStore(options(dir));
  expect(again.read("SELECT count(*) AS n FROM nonce").get()?.n).toBe(500_000);
  await again.close();
}, 60_000);
