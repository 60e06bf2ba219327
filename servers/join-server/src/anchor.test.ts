import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SinceUse, UsedNonces, UsesSince, Vault } from "@trefoil/custody";
import { openStore, type Store } from "@trefoil/store";
import { afterEach, beforeEach, expect, it } from "vitest";
import { takeInLostNonces } from "./anchor.ts";
import { Audit } from "./audit.ts";
import { Registry } from "./devices/registry.ts";
import { type Statement, schema } from "./schema.ts";

let folder: string;
let store: Store<Statement>;
let registry: Registry;
let audit: Audit;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "trefoil-js-"));
  store = await openStore({ ...schema, file: join(folder, "store.sqlite"), role: "join-server" });
  registry = new Registry(store);
  audit = new Audit(store);
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const id = { devEui: "0000000000000001", joinEui: "70b3d57ed0000001" };
const use = (entry: number, nonce: number, change: Partial<UsedNonces> = {}): UsedNonces => ({
  ...{ ...id, instance: 0, entry, request: "join", nonce, joinNonce: entry },
  ...change,
});
const hashAt = (entry: number) => `hash of ${entry}`;
/** One chain, in pages of three; it ends at `last`. */
const vaultWith = (uses: readonly UsedNonces[], last = uses.at(-1)?.entry ?? 0, instance = 0) =>
  ({
    status: async () => ({ chains: [instance] }),
    usesSince: async (since: SinceUse): Promise<UsesSince> => {
      const { entry, hash } = since;
      const upTo = { entry, hash: hash ?? hashAt(entry) };
      const isKnown =
        since.instance !== instance ? entry === 0 : entry <= last && (entry === 0 || hash === hashAt(entry));
      if (!isKnown || since.instance !== instance) return { isKnown, uses: [], upTo };
      const page = uses.filter((one) => one.entry > entry).slice(0, 3);
      const end = page.length === 3 ? (page[2]?.entry as number) : last;
      return { isKnown, uses: page, upTo: { entry: end, hash: hashAt(end) } };
    },
  }) as unknown as Vault;
const takeIn = (vault: Vault) => takeInLostNonces(vault, { store, registry, audit });
const add = async () => {
  await registry.add({ ...id, macVersion: "1.1", provenance: "unknown", blobs: {} });
  return registry.byDevEui(id.devEui) ?? expect.unreachable();
};
const kinds = () => audit.list(0, 100).map(({ kind }) => kind);

it("a store that knows as much as the vault takes nothing in", async () => {
  await store.commit([{ statement: "knowVaultEntry", rows: [[0, 7, hashAt(7)]] }]);
  expect(await takeIn(vaultWith([use(6, 1), use(7, 2)]))).toBe(0);
  expect(kinds()).toEqual([]);
});

it("of an older store every lost nonce is used afterwards, and JoinNonce and RJcounts go on (DESIGN §4)", async () => {
  const device = await add();
  await store.commit([{ statement: "knowVaultEntry", rows: [[0, 2, hashAt(2)]] }]);
  const lost = [
    ...[use(3, 40), use(4, 41), use(6, 39)],
    ...[use(7, 12, { request: 1, joinNonce: 9 }), use(9, 3, { request: 0, joinNonce: 8 })],
  ];
  expect(await takeIn(vaultWith(lost, 11))).toBe(5);
  expect(registry.byDevEui(id.devEui)).toMatchObject({ lastDevNonce: 41, lastJoinNonce: 9, rjCount0: 3, rjCount1: 12 });
  expect([39, 40, 41, 42].map((nonce) => registry.isDevNonceUsed(device, nonce))).toEqual([true, true, true, false]);
  expect(registry.vaultEntryOf(0)).toEqual({ entry: 11, hash: hashAt(11) });
  expect(audit.list(0, 10)).toMatchObject([
    { kind: "store/older-than-vault", detail: { instance: 0, after: 2, joins: 5 } },
  ]);
  expect(await takeIn(vaultWith(lost, 11))).toBe(0);
});

it("also of devices that the store has never seen, and of each process of the vault apart", async () => {
  expect(await takeIn(vaultWith([use(5, 1, { instance: 1 })], 5, 1))).toBe(1);
  expect([0, 1].map((instance) => registry.vaultEntryOf(instance).entry)).toEqual([0, 5]);
  expect(registry.historyOf(id)).toMatchObject({ lastDevNonce: 1, lastJoinNonce: 5 });
  // Made afterwards, the device goes on from there.
  expect((await add()).lastJoinNonce).toBe(5);
});

it.each([
  ["shorter than what the store has seen", 50, hashAt(50)],
  ["as long, but another one there", 2, "hash of something else"],
])(
  "a vault's log that is %s was cut, put back or written anew: said, and all of it is taken in",
  async (_, known, hash) => {
    await store.commit([{ statement: "knowVaultEntry", rows: [[0, known, hash]] }]);
    expect(await takeIn(vaultWith([use(1, 1), use(2, 2)], 2))).toBe(2);
    expect(audit.list(0, 10)).toMatchObject([
      { kind: "vault/older-than-store", detail: { instance: 0, known } },
      { kind: "store/older-than-vault" },
    ]);
    expect(registry.vaultEntryOf(0)).toEqual({ entry: 2, hash: hashAt(2) });
    expect(await takeIn(vaultWith([use(1, 1), use(2, 2)], 2))).toBe(0);
  },
);
