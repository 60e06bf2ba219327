/** What the store itself refuses, whoever asks: the rules hold across processes and against mistakes of this server. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type Store } from "@trefoil/store";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Audit } from "../audit.ts";
import { type Statement, schema } from "../schema.ts";
import { type Device, Registry } from "./registry.ts";

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
    macVersion: "1.0.3",
    netId: "000013",
    asId: "as",
    blobs: { AppKey: "x" },
  });
  return registry.byDevEui(devEui) ?? expect.unreachable();
};
const claim = (device: Device, devNonce: number, joinNonce: number) =>
  registry.claim({ device, devNonce, joinNonce, peer: "p", request: new Uint8Array(32), body: `${devNonce}` }).then(
    () => "claimed",
    ({ code }) => code,
  );
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
  const back = store.commit([{ statement: "claimJoinNonce", rows: [[device.history, 50, 1]] }]);
  await expect(back).rejects.toMatchObject({ code: "store/constraint" });
  await registry.resetNonces(again(device), new Audit(store).entry("device/nonces-reset", device.devEui, {}));
  expect(again(device)).toMatchObject({ lastJoinNonce: 100, lastDevNonce: -1 });
});

it("the audit trail is only ever added to, and a peer that repeats itself writes one row a minute", async () => {
  let now = 1_000;
  const audit = new Audit(store, () => now);
  const before = audit.list(0, 1_000).length;
  for (const at of [1_000, 2_000, 60_999, 61_000]) {
    now = at;
    await audit.writeOnce("join/foreign-device", "0000000000000009", { netId: "000014" });
  }
  expect(audit.list(0, 1_000).slice(before)).toMatchObject([
    { at: 1_000 },
    { at: 61_000, kind: "join/foreign-device", detail: { netId: "000014" } },
  ]);
});
