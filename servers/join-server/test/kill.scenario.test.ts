/** SIGKILL at any moment: what was answered stays used (TS001-1.0.4 §6.2.5, §6.2.6), and the join-server goes on with a new vault. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { joinNonceOf, joinReq, newDevice } from "./frames.ts";
import { makeSetting, type Setting, understood, until } from "./setting.ts";

let at: Setting;
beforeAll(async () => {
  at = await makeSetting();
  await at.startVault();
  await at.startServerProcess();
  await at.sayPeers();
  await at.sayKeks();
});
afterAll(() => at.end());

it("kill -9 of the join-server under joins: no answered DevNonce joins again, and no JoinNonce comes twice", async () => {
  const devices = Array.from({ length: 8 }, () => newDevice("1.0.3"));
  await at.admin(
    "POST",
    "/devices",
    devices.map((device) => at.row(device)),
  );
  const answered = new Map(devices.map((device) => [device, new Map<number, number>()]));
  let devNonce = 0;

  for (const [round, delayMs] of [3, 12, 25, 40].entries()) {
    let killed = false;
    const joins = devices.map(async (device) => {
      for (let one = devNonce + 1; !killed; one += 1) {
        const answer = await at.post("ours", joinReq(device, one)).then(understood, () => undefined);
        if (answer?.code === "Success") answered.get(device)?.set(one, joinNonceOf(device, answer.message.PHYPayload));
      }
      return device;
    });
    // Not before joins flow: the kill is to hit one.
    await until(() => Math.max(...[...answered.values()].map((nonces) => nonces.size)) > round);
    await new Promise((done) => setTimeout(done, delayMs));
    await at.killServer();
    killed = true;
    await Promise.all(joins);
    devNonce += 1_000;
    // As the supervisor does it: a new join-server needs a new vault.
    await at.killVault();
    await at.startVault();
    await at.startServerProcess();
  }

  for (const [device, nonces] of answered) {
    expect(nonces.size).toBeGreaterThan(0);
    for (const used of nonces.keys())
      expect(understood(await at.post("ours", joinReq(device, used))).description).toBe("join/dev-nonce-reused");
    const all = [...nonces.values()];
    expect(new Set(all).size).toBe(all.length);
    const next = understood(await at.post("ours", joinReq(device, 60_000)));
    expect(joinNonceOf(device, next.message.PHYPayload)).toBeGreaterThan(Math.max(...all));
  }
});
