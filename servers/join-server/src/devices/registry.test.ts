/** What the store itself refuses, whoever asks: the rules hold across processes and against mistakes of this server. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type Store } from "@trefoil/store";
import { afterAll, beforeAll, expect, it } from "vitest";
import { poll } from "../../test/poll.ts";
import { Audit } from "../audit.ts";
import { type Statement, schema } from "../schema.ts";
import type { Nonce } from "./claim.ts";
import { type Device, noHistory } from "./device.ts";
import { Registry } from "./registry.ts";

const folder = mkdtempSync(join(tmpdir(), "trefoil-js-"));
let store: Store<Statement>;
let registry: Registry;
beforeAll(async () => {
  store = await openStore({ ...schema, file: join(folder, "store.sqlite"), role: "join-server" });
  registry = new Registry(store);
});
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const add = async (devEui: string): Promise<Device> => {
  await registry.add({
    devEui,
    joinEui: "70b3d57ed0000001",
    macVersion: "1.1",
    provenance: "unknown",
    blobs: { AppKey: "x" },
  });
  return registry.byDevEui(devEui) ?? expect.unreachable();
};
const appSKey = { kekLabel: "as/1", aesKey: "00".repeat(24) };
let entry = 0;
const claimNonce = (device: Device, nonce: Nonce, joinNonce: number, body = "", here = registry) => {
  entry += 1;
  return here
    .claim({
      ...{ device, nonce, joinNonce, kept: registry.answerOf(device), peer: "p", request: new Uint8Array(32), body },
      ...{
        use: { instance: 0, entry, hash: `hash of ${entry}` },
        session: { sessionKeyId: `${joinNonce}`, asId: "as", appSKey },
      },
    })
    .then(
      () => "claimed",
      ({ code }) => code,
    );
};
const claim = (device: Device, devNonce: number, joinNonce: number) =>
  claimNonce(device, { request: "join", devNonce }, joinNonce, `${devNonce}`);
const again = (device: Device) => registry.byDevEui(device.devEui) ?? expect.unreachable();

it("of claims with one DevNonce, or with one JoinNonce, the store lets one through (TS001-1.0.4 §6.2.5, §6.2.6)", async () => {
  const device = await add("0000000000000001");
  expect((await Promise.all([claim(device, 5, 1), claim(device, 5, 2), claim(device, 6, 1)])).sort()).toEqual([
    "claimed",
    "store/constraint",
    "store/constraint",
  ]);
  expect(again(device)).toMatchObject({ lastJoinNonce: 1, lastDevNonce: 5 });
  expect([await claim(device, 7, 1), await claim(device, 7, 0), await claim(device, 7, 2)]).toEqual([
    "store/constraint",
    "store/constraint",
    "claimed",
  ]);
});

it("that holds across processes: of claims through two stores of one file, one of each nonce wins", async () => {
  const device = await add("000000000000000a");
  const other = await openStore({ ...schema, file: join(folder, "store.sqlite"), role: "join-server" });
  const elsewhere = new Registry(other);
  for (let nonce = 1; nonce <= 20; nonce++) {
    const claims = [registry, elsewhere].map((here) =>
      claimNonce(device, { request: "join", devNonce: nonce }, 2 * nonce, "", here),
    );
    expect((await Promise.all(claims)).sort()).toEqual(["claimed", "store/constraint"]);
    const rejoins = [registry, elsewhere].map((here) =>
      claimNonce(device, { request: 1, rjCount: nonce }, 2 * nonce + 1, "", here),
    );
    expect((await Promise.all(rejoins)).sort()).toEqual(["claimed", "store/constraint"]);
  }
  await other.close();
});

it("a refused claim leaves nothing behind: neither its nonce nor its answer", async () => {
  const device = await add("0000000000000002");
  await claim(device, 5, 10);
  expect(await claim(device, 6, 10)).toBe("store/constraint");
  expect(registry.isDevNonceUsed(device, 6)).toBe(false);
  expect(registry.answerOf(device)?.body).toBe("5");
});

it("JoinNonce never goes back, not even by a mistake", async () => {
  const device = await add("0000000000000003");
  await claim(device, 1, 100);
  const back = store.commit([{ statement: "claimJoin", rows: [[device.devEui, device.joinEui, 50, 1]] }]);
  await expect(back).rejects.toMatchObject({ code: "store/constraint" });
  await registry.resetNonces(again(device), new Audit(store).entry("device/nonces-reset", device.devEui, {}));
  expect(again(device)).toMatchObject({ lastJoinNonce: 100, lastDevNonce: -1 });
});

it("of rejoins with one frame, one RJcount1 or one JoinNonce the store lets one through (LoRaWAN 1.1 §6.2.4)", async () => {
  const device = await add("0000000000000004");
  const frame = (octet: number) => new Uint8Array(19).fill(octet);
  expect(await claimNonce(device, { request: 0, rjCount: 3, frame: frame(1) }, 1)).toBe("claimed");
  expect(registry.isFrameUsed(device, frame(1))).toBe(true);
  expect(await claimNonce(device, { request: 0, rjCount: 3, frame: frame(1) }, 2)).toBe("store/constraint");
  expect(await claimNonce(device, { request: 2, rjCount: 4, frame: frame(2) }, 1)).toBe("store/constraint");
  expect(registry.isFrameUsed(device, frame(2))).toBe(false);
  expect(await claimNonce(device, { request: 2, rjCount: 0, frame: frame(2) }, 2)).toBe("claimed");
  const both = [claimNonce(device, { request: 1, rjCount: 9 }, 3), claimNonce(device, { request: 1, rjCount: 9 }, 4)];
  expect((await Promise.all(both)).sort()).toEqual(["claimed", "store/constraint"]);
  expect(await claimNonce(device, { request: 1, rjCount: 8 }, 10)).toBe("store/constraint");
  expect(again(device)).toMatchObject({ lastJoinNonce: 3, rjCount0: 0, rjCount1: 9 });
});

it("RJcount0 starts again with a join, RJcount1 never does (LoRaWAN 1.1 §6.2.4.1, §6.2.4.2)", async () => {
  const device = await add("0000000000000005");
  await claimNonce(device, { request: 0, rjCount: 3, frame: new Uint8Array(1) }, 1);
  await claimNonce(device, { request: 1, rjCount: 7 }, 2);
  await claim(device, 1, 3);
  expect(again(device)).toMatchObject({ rjCount0: -1, rjCount1: 7 });
  await expect(
    store.commit([{ statement: "claimRejoin1", rows: [[device.devEui, device.joinEui, 9, 7]] }]),
  ).rejects.toMatchObject({ code: "store/constraint" });
});

it("a derived device gets its row with its first claim, and one of two such claims wins", async () => {
  const id = { devEui: "0000000000000006", joinEui: "70b3d57ed0000001" };
  const derived: Device = { ...id, macVersion: "1.1", provenance: "derived", unregistered: true, ...noHistory };
  expect((await Promise.all([claim(derived, 1, 1), claim(derived, 2, 1)])).sort()).toEqual([
    "claimed",
    "store/constraint",
  ]);
  const device = registry.byDevEui(id.devEui) ?? expect.unreachable();
  expect(device).toMatchObject({ provenance: "derived", lastJoinNonce: 1 });
  expect(device.blobs).toBeUndefined();
  expect(await claim(device, 3, 2)).toBe("claimed");
});

it("the AppSKeys of the last four sessions are kept, and no more", async () => {
  const device = await add("0000000000000007");
  for (const nonce of [1, 2, 3, 4, 5, 6]) await claim(device, nonce, nonce);
  const kept = [1, 2, 3, 4, 5, 6].filter((nonce) => registry.sessionOf(device, `${nonce}`) !== undefined);
  expect(kept).toEqual([3, 4, 5, 6]);
  expect(registry.sessionOf(device, "6")).toEqual({ sessionKeyId: "6", asId: "as", appSKey });
});

it("each claim is kept with its entry in the vault's log", async () => {
  const device = await add("0000000000000008");
  await claim(device, 1, 1);
  expect(registry.vaultEntryOf(0)).toEqual({ entry, hash: `hash of ${entry}` });
  expect([registry.vaultEntryOf(1).entry, registry.knownInstances]).toEqual([0, [0]]);
});

it("a store of the format that was never released is refused, not half read", async () => {
  const file = join(folder, "old.sqlite");
  const old = await openStore({ file, role: "join-server", migrations: ["CREATE TABLE history (a)"], statements: {} });
  await old.close();
  await expect(openStore({ ...schema, file, role: "join-server" })).rejects.toMatchObject({ code: "store/failed" });
});

it("the audit trail is only ever added to, and a peer that repeats itself writes one row a minute", async () => {
  let now = 1_000;
  const audit = new Audit(
    store,
    (fault) => expect.unreachable(String(fault)),
    () => now,
  );
  const before = audit.list(0, 1_000).length;
  for (const at of [1_000, 2_000, 60_999, 61_000]) {
    now = at;
    audit.note("join/foreign-device", "0000000000000009", { netId: "000014" });
  }
  await poll(() => audit.list(0, 1_000).slice(before).length).toBe(2);
  expect(audit.list(0, 1_000).slice(before)).toMatchObject([
    { at: 1_000 },
    { at: 61_000, kind: "join/foreign-device", detail: { netId: "000014" } },
  ]);
  await expect(store.commit([{ statement: "deleteDevice", rows: [["x"]] }])).resolves.toBeDefined();
});

it("whoever makes a noise hides nobody else: so many rows of a kind and peer in a minute; the next says how many were held back", async () => {
  let now = 0;
  const audit = new Audit(
    store,
    (fault) => expect.unreachable(String(fault)),
    () => now,
  );
  const first = audit.list(0, 100_000).at(-1)?.entry ?? 0;
  for (let i = 0; i < 1_000; i++) audit.note("interop/unknown-peer", null, { fingerprint: `${i}` });
  for (let i = 0; i < 150; i++) audit.note("interop/malformed", null, { peer: "loud", i });
  audit.note("interop/malformed", null, { peer: "quiet" });
  audit.note("join/foreign-device", null, { peer: "loud" });
  await poll(() => audit.list(first, 10_000).length).toBe(202);
  now = 60_000;
  audit.note("interop/malformed", null, { i: 5_000 });
  await poll(() => audit.list(first, 10_000).length).toBe(204);
  expect(audit.list(first, 10_000).slice(-4)).toMatchObject([
    { kind: "interop/malformed", detail: { peer: "quiet" } },
    { kind: "join/foreign-device" },
    { kind: "audit/held-back", detail: { rows: 950 } },
    { kind: "interop/malformed" },
  ]);
});
