/** DESIGN §4: a store that is older than the vault is found out by the vault's own log, and makes no old nonce valid. */
import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { joinNonceOf, joinReq, newDevice, rejoinReq } from "./frames.ts";
import { poll } from "./poll.ts";
import { makeSetting, type Setting, understood } from "./setting.ts";

let at: Setting;
beforeAll(async () => {
  at = await makeSetting();
  await at.startVault(0);
  await at.startVault(1);
  await at.startServer();
  await at.sayPeers();
  await at.sayKeks();
});
afterAll(() => at.end());

const ask = async (request: object) => understood(await at.post("ours", request));
const stop = async () => {
  await at.stopServer();
  await at.killVault(0);
  await at.killVault(1);
};
const start = async () => {
  await at.startVault(0);
  await at.startVault(1);
  await at.startServer();
};
const isStore = (name: string) => name.startsWith("store.sqlite");

it("an old store put back: what was joined meanwhile stays used, JoinNonce goes on, and the audit trail says so", async () => {
  const [random, counter, rejoining] = [newDevice("1.0.3"), newDevice("1.0.4"), newDevice("1.1")];
  await at.admin(
    "POST",
    "/devices",
    [random, counter, rejoining].map((device) => at.row(device)),
  );
  for (const device of [random, counter, rejoining]) expect((await ask(joinReq(device, 1))).code).toBe("Success");

  await stop();
  const backup = join(at.network.dir, "backup");
  mkdirSync(backup);
  for (const name of readdirSync(at.dataDir).filter(isStore)) cpSync(join(at.dataDir, name), join(backup, name));
  await start();

  // Several at once, so that both processes of the vault have some.
  const lost = await Promise.all(Array.from({ length: 12 }, (_, i) => i + 100).map((n) => ask(joinReq(random, n))));
  expect(lost.every(({ code }) => code === "Success")).toBe(true);
  expect((await ask(joinReq(counter, 50))).code).toBe("Success");
  expect((await ask(rejoinReq(rejoining, 1, 8))).code).toBe("Success");
  const lastJoinNonce = Math.max(...lost.map(({ message }) => joinNonceOf(random, message.PHYPayload)));

  await stop();
  for (const name of readdirSync(at.dataDir).filter(isStore)) rmSync(join(at.dataDir, name));
  for (const name of readdirSync(backup)) cpSync(join(backup, name), join(at.dataDir, name));
  await start();

  for (const n of [100, 105, 111]) expect((await ask(joinReq(random, n))).description).toBe("join/dev-nonce-reused");
  expect((await ask(joinReq(counter, 50))).description).toBe("join/dev-nonce-reused");
  expect((await ask(joinReq(counter, 49))).description).toBe("join/dev-nonce-not-rising");
  expect((await ask(rejoinReq(rejoining, 1, 8))).description).toBe("rejoin/count-not-rising");
  expect((await ask(rejoinReq(rejoining, 1, 9))).code).toBe("Success");
  const next = await ask(joinReq(random, 500));
  expect(joinNonceOf(random, next.message.PHYPayload)).toBe(lastJoinNonce + 1);

  const rows = (await at.admin("GET", "/audit")).body as { kind: string; detail: { joins: number } }[];
  const found = rows.filter(({ kind }) => kind === "store/older-than-vault");
  expect(found.reduce((sum, { detail }) => sum + detail.joins, 0)).toBe(14);
});

it("joins are spread over the processes of the vault, and go on while one of them is gone", async () => {
  const devices = Array.from({ length: 20 }, () => newDevice("1.0.4"));
  await at.admin(
    "POST",
    "/devices",
    devices.map((device) => at.row(device)),
  );
  const all = await Promise.all(devices.map((device) => ask(joinReq(device, 1))));
  expect(all.map(({ code }) => code)).toEqual(devices.map(() => "Success"));
  const status = (await at.admin("GET", "/vault/status")).body as { instance: number; joins: number }[];
  expect(status.map(({ instance }) => instance)).toEqual([0, 1]);
  for (const { joins } of status) expect(joins).toBeGreaterThan(0);
  await at.killVault(1);
  await poll(async () => ((await at.admin("GET", "/vault/status")).body as unknown[]).length).toBe(1);
  for (const device of devices.slice(0, 5)) expect((await ask(joinReq(device, 2))).code).toBe("Success");
  await at.startVault(1);
  await at.ready();
  for (const device of devices.slice(0, 5)) expect((await ask(joinReq(device, 3))).code).toBe("Success");
});
