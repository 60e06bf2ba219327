import { fileURLToPath } from "node:url";
import { startChild, startInProcess, type TestChild } from "@trefoil/service/testing";
import type { Offered, Reserved } from "@trefoil/wire";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { networkServer } from "../src/index.ts";
import { hex, TestDevice } from "./device.ts";
import { makeWorld, reception, until, type World } from "./world.ts";

// Each start of a child takes seconds on a busy machine.
vi.setConfig({ testTimeout: 120_000 });
const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
let world: World;
let child: TestChild | undefined;
beforeEach(async () => {
  world = await makeWorld({ deduplicationWindowMs: 20 });
});
afterEach(async () => {
  await child?.kill();
  await world.end();
});

async function start(): Promise<void> {
  child = startChild(main, { ...world.boot, logLevel: "error" });
  const { link } = await child.ready;
  await Promise.all([world.connectGateway(link as { host: string; port: number }), world.application.connected()]);
}
const uplinkIds = () => world.application.uplinks().map(({ id }) => id);
/** A device with the same keys, at another moment. */
const copyOf = (device: TestDevice, fCntUp: number) =>
  Object.assign(new TestDevice(device.version, device.devEui), { devAddr: device.devAddr, keys: device.keys, fCntUp });

test("after kill -9: sessions and counters are there, what was acknowledged is delivered, no replay is accepted (DESIGN §4)", async () => {
  await start();
  const device = await world.personalise("1.0.4", "0000000000000001", "00000001");
  const heard = device.uplink({ payload: hex("01") });
  world.application.refuse(true);
  await world.hear(reception(heard), reception(device.uplink({ payload: hex("02"), confirmed: true })));
  const answered = await until(() => world.transmits[0]);
  expect(device.hear(Buffer.from(answered.phyPayload, "base64"), 0)?.ack).toBe(true);
  await child?.kill();
  world.application.refuse(false);

  await start();
  await until(() => uplinkIds().length === 2);
  await world.hear(reception(heard));
  await world.hear(reception(device.uplink({ payload: hex("03"), confirmed: true })));
  await until(() => uplinkIds().length === 3);
  expect(new Set(uplinkIds()).size).toBe(3);
  const next = await until(() => world.transmits[1]);
  expect(device.hear(Buffer.from(next.phyPayload, "base64"), 1)?.ack).toBe(true);
});

test("after kill -9: an offered downlink is sent at the next uplink, a counter that was only reserved is not given out again", async () => {
  await start();
  const device = await world.personalise("1.1", "0000000000000002", "00000002");
  const body = { devEui: device.devEui, queueId: "q", fPort: 2, size: 2, confirmed: true };
  const ask = async () => {
    const reserved = await world.application.ask<Reserved>("downlink.reserve", body);
    if (reserved.result !== "reserved") throw new Error(reserved.code);
    return reserved;
  };
  const first = await ask();
  await child?.kill();

  await start();
  const { fCntDown, sessionKeyId } = await ask();
  expect([first.fCntDown, fCntDown]).toEqual([0, 1]);
  const frmPayload = Buffer.from(device.encryptDown(fCntDown, hex("abcd"))).toString("base64");
  const late = { ...body, sessionKeyId, fCntDown: 0, frmPayload, more: false };
  expect(await world.application.ask<Offered>("downlink.offer", late)).toMatchObject({ result: "refused" });
  expect(await world.application.ask<Offered>("downlink.offer", { ...late, fCntDown })).toEqual({ result: "accepted" });
  await child?.kill();

  await start();
  await world.hear(reception(device.uplink({ payload: hex("01") })));
  const sent = await until(() => world.transmits[0]);
  expect(device.hear(Buffer.from(sent.phyPayload, "base64"), 1)?.payload).toEqual(hex("abcd"));
  await until(() => world.application.events().some(({ is }) => is === "downlink.sent"));
  await child?.kill();

  await start();
  await world.hear(reception(device.uplink({ payload: hex("02"), ack: true, confFCnt: 1 })));
  await until(() => world.application.events().some(({ is }) => is === "downlink.acknowledged"));
});

test("killed again and again under traffic: each acknowledged uplink is delivered once, nothing twice, no replay counts", async () => {
  await start();
  const devices: TestDevice[] = [];
  for (let n = 0; n < 8; n++)
    devices.push(await world.personalise(n % 2 === 0 ? "1.0.4" : "1.1", `000000000000010${n}`, "00000100"));
  const sent: Uint8Array[] = [];
  const acknowledged = new Set<string>();
  for (let round = 0; round < 3; round++) {
    let killed = false;
    const lifetime = new Promise((resolve) => setTimeout(resolve, 60 + 37 * round)).then(() => {
      killed = true;
      return child?.kill();
    });
    while (!killed) {
      const batch = devices.map((device) => {
        const fCnt = device.fCntUp;
        const phy = device.uplink({ payload: hex("0102030405") });
        sent.push(phy);
        return { id: `u${fCnt}.${device.devEui}${device.devEui}`, reception: reception(phy) };
      });
      await world.hear(...batch.map((one) => one.reception)).then(
        () => batch.map(({ id }) => acknowledged.add(id)),
        () => undefined,
      );
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await lifetime;
    await start();
  }
  // Everything that was ever on the air once more: nothing of it may count again.
  for (let at = 0; at < sent.length; at += 100)
    await world.hear(...sent.slice(at, at + 100).map((phy) => reception(phy)));
  const last = devices.map((device) => copyOf(device, device.fCntUp).uplink({ payload: hex("ff") }));
  await world.hear(...last.map((phy) => reception(phy)));
  await until(() => devices.every(({ devEui, fCntUp }) => uplinkIds().includes(`u${fCntUp}.${devEui}${devEui}`)));

  const delivered = uplinkIds();
  expect(new Set(delivered).size).toBe(delivered.length);
  expect([...acknowledged].filter((id) => !delivered.includes(id))).toEqual([]);
  expect(acknowledged.size).toBeGreaterThan(0);
  // In the order of their counters, whatever happened.
  for (const { devEui } of devices) {
    const counters = world.application
      .events()
      .flatMap((event) => (event.is === "uplink" && event.devEui === devEui ? [event.fCntUp] : []));
    expect(counters).toEqual(counters.toSorted((a, b) => a - b));
  }
});

test("an orderly stop answers what was taken, and the next start goes on with the outbox", async () => {
  const server = await startInProcess(networkServer, world.boot);
  await world.connectGateway(server.listeners.link as { host: string; port: number });
  const device = await world.personalise("1.0.4", "0000000000000003", "00000003");
  world.application.refuse(true);
  const answer = world.hear(reception(device.uplink({ payload: hex("01") }))).then(
    () => "acknowledged",
    () => "not",
  );
  await expect.poll(() => world.admin<{ facts: object }>("GET", "/status")).toMatchObject({ facts: { sessions: 1 } });
  await server.stop();
  const fate = await answer;
  world.application.refuse(false);
  await start();
  await world.hear(reception(device.uplink({ payload: hex("02") })));
  await until(() => uplinkIds().length >= (fate === "acknowledged" ? 2 : 1));
  expect(new Set(uplinkIds()).size).toBe(uplinkIds().length);
});
