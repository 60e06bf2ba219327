/** Several processes of one vault: each with its own pipe, chain and back-off. One that is killed costs no join. */
import { execFileSync } from "node:child_process";
import type { VaultStatus } from "@trefoil/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Alone,
  addPeer,
  join_,
  joinNonceIn,
  makeJoiningDevice,
  makeKeks,
  type Peer,
  registerDevice,
  startAlone,
} from "./alone.ts";
import { until } from "./kit.ts";

const processes = 3;
const deviceCount = 6;
const names = ["vault", "vault-1", "vault-2"] as const;
let net: Alone;
let peer: Peer;
const devices = Array.from({ length: deviceCount }, () => makeJoiningDevice());
beforeAll(async () => {
  net = await startAlone({ processes });
  peer = await addPeer(net, "acme", "000013", "acme-as");
  await makeKeks(net, peer, "acme-as");
  await net.say(["device", "move", "--join-euis", "0000000000000000-ffffffffffffffff", "--to", "acme"]);
  for (const [i, device] of devices.entries()) await registerDevice(net, `device-${i}`, device);
}, 180_000);
afterAll(() => net?.close());

const pidOf = (name: (typeof names)[number]) => net.network.running()[name]?.pid;
const statuses = () => net.say<VaultStatus[]>(["vault", "status"]);

test("all of them run, each with a chain of its own, and joins are spread over them", async () => {
  expect(new Set(names.map(pidOf)).size).toBe(processes);
  for (let devNonce = 1; devNonce <= 5; devNonce++)
    await Promise.all(devices.map((device) => join_(net, peer, device, devNonce)));
  const rows = await statuses();
  expect(rows.map(({ instance }) => instance).sort()).toEqual([0, 1, 2]);
  expect(rows.reduce((sum, { joins }) => sum + joins, 0)).toBe(5 * deviceCount);
  expect(rows.filter(({ joins }) => joins > 0).length).toBeGreaterThan(1);
});

test("SIGKILL of any one process during joins: every device goes on joining, no JoinNonce comes twice, and all run again", async () => {
  const seen = new Map(devices.map((device) => [device, new Set<number>()]));
  let devNonce = 100;
  let failed = 0;
  for (const name of [...names, ...names]) {
    const before = pidOf(name) as number;
    for (let round = 0; round < 8; round++) {
      devNonce++;
      if (round === 2) process.kill(before, "SIGKILL");
      const answers = await Promise.all(devices.map((device) => join_(net, peer, device, devNonce)));
      for (const [i, { Result, PHYPayload }] of answers.entries()) {
        const device = devices[i] as (typeof devices)[number];
        if (Result.ResultCode !== "Success") failed++;
        else {
          const joinNonce = joinNonceIn(PHYPayload as string, device);
          expect(seen.get(device)?.has(joinNonce)).toBe(false);
          seen.get(device)?.add(joinNonce);
        }
      }
    }
    await until(`${name} runs again`, () => (pidOf(name) ?? before) !== before);
  }
  // The requests that were in the killed process's hands are asked again of another.
  expect(failed).toBe(0);
  await until("all of them answer", () => names.every((name) => pidOf(name) !== undefined));
  await expect.poll(async () => (await statuses()).length, { timeout: 60_000, interval: 200 }).toBe(processes);
});

test("the audit log is sound in all chains, and says where a process was cut off", async () => {
  await net.network.stop();
  const { chains } = await net.say<{ chains: { result: string; instance: number }[] }>(["audit-log", "verify"]);
  expect(chains.map(({ instance, result }) => [instance, result])).toEqual(
    names.map((_, i) => [i, expect.stringMatching(/^(sound|unsigned-tail)$/)]),
  );
  await net.restart();
});

test("when the join-server is killed, all processes of the vault are started anew, one after another, and joins go on", async () => {
  const before = names.map(pidOf);
  process.kill(net.pid("join-server"), "SIGKILL");
  await until("all run again", () => names.every((name, i) => (pidOf(name) ?? before[i]) !== before[i]), 60_000);
  await until("the join-server runs again", () => net.network.running()["join-server"] !== undefined, 60_000);
  let devNonce = 1_000;
  const tryToJoin = () =>
    join_(net, peer, devices[0] as (typeof devices)[number], devNonce++).then(
      ({ Result }) => Result.ResultCode,
      (error: Error) => error.message,
    );
  await expect.poll(tryToJoin, { timeout: 60_000, interval: 200 }).toBe("Success");
});

test("no key and no passphrase is in any process's arguments or environment", () => {
  for (const pid of Object.values(net.network.running()).flatMap((one) => one?.pid ?? [])) {
    const seen = execFileSync("cat", [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`], { encoding: "latin1" });
    for (const { appKey } of devices) expect(seen.toLowerCase()).not.toContain(appKey.toString("hex"));
    expect(seen).not.toMatch(/PIN=|PASSPHRASE=/i);
  }
});
