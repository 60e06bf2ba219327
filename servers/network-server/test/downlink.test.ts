import { type InProcess, startInProcess } from "@trefoil/service/testing";
import type { NetworkEvent, Offered, Reserved, Transmit, Withdrawn } from "@trefoil/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import { networkServer } from "../src/index.ts";
import { hex, type TestDevice } from "./device.ts";
import { appKey, makeWorld, reception, rootKey, until, type World } from "./world.ts";

let world: World;
let server: InProcess;
beforeAll(async () => {
  world = await makeWorld();
  server = await startInProcess(networkServer, world.boot);
  await world.connectGateway(server.listeners.link as { host: string; port: number });
});
afterAll(async () => {
  await server.stop();
  await world.end();
});

const octets = ({ phyPayload }: Transmit) => Buffer.from(phyPayload, "base64");
const fates = (devEui: string) =>
  world.application.events().filter((event) => event.devEui === devEui && event.is.startsWith("downlink.")) as Extract<
    NetworkEvent,
    { queueId: string }
  >[];
const entry = (device: TestDevice, queueId: string, more = {}) => ({
  devEui: device.devEui,
  queueId,
  fPort: 5,
  size: 3,
  confirmed: false,
  ...more,
});
const reserve = (body: object) => world.application.ask<Reserved>("downlink.reserve", body);
const offer = (body: object) => world.application.ask<Offered>("downlink.offer", body);
const b64 = (data: Uint8Array) => Buffer.from(data).toString("base64");

/** Reserves and offers; gives the counter. */
async function queue(device: TestDevice, queueId: string, payload = hex("0a0b0c"), more = {}): Promise<number> {
  const body = entry(device, queueId, { size: payload.length, ...more });
  const reserved = await reserve(body);
  if (reserved.result !== "reserved") throw new Error(reserved.code);
  const { sessionKeyId, fCntDown } = reserved;
  const frmPayload = b64(device.encryptDown(fCntDown, payload));
  expect(await offer({ ...body, sessionKeyId, fCntDown, frmPayload, more: false })).toEqual({ result: "accepted" });
  return fCntDown;
}
const nextTransmit = async (act: () => Promise<unknown>) => {
  const before = world.transmits.length;
  await act();
  return until(() => world.transmits[before]);
};

test.each(["1.0.4", "1.1"] as const)(
  "%s: a reserved and offered downlink is heard in RX1 after the next uplink, together with the ACK (DESIGN §4)",
  async (version) => {
    const device = await world.personalise(
      version,
      `00000000000001${version === "1.1" ? "11" : "04"}`,
      version === "1.1" ? "00000111" : "00000104",
      { fCntDown: 9 },
    );
    const fCntDown = await queue(device, "q1", hex("0a0b0c"), { more: false });
    expect(fCntDown).toBe(10);
    const sent = await nextTransmit(() =>
      world.hear(reception(device.uplink({ payload: hex("01"), confirmed: true }))),
    );
    const heard = device.hear(octets(sent), fCntDown);
    expect(heard).toMatchObject({ ack: true, fPort: 5, type: "UnconfirmedDataDown", fCnt: 10, fPending: false });
    expect(heard?.payload).toEqual(hex("0a0b0c"));
    const fate = await until(() => fates(device.devEui)[0]);
    expect(fate).toMatchObject({ is: "downlink.sent", queueId: "q1", fCntDown: 10, gatewayId: "eui-0000000000000a01" });
    // It went out once: the next uplink brings nothing.
    const count = world.transmits.length;
    await world.hear(reception(device.uplink({ payload: hex("02") })));
    expect(world.transmits.length).toBe(count);
  },
);

test("a confirmed downlink is acknowledged by the ACK bit of the next uplink, or not (TS001-1.0.4 §4.3.1.2)", async () => {
  for (const [n, version] of [
    ["201", "1.0.4"],
    ["202", "1.1"],
  ] as const) {
    const device = await world.personalise(version, `0000000000000${n}`, `00000${n}`);
    const first = await queue(device, "a", hex("01"), { confirmed: true });
    const sent = await nextTransmit(() => world.hear(reception(device.uplink({ payload: hex("01") }))));
    expect(device.hear(octets(sent), first)?.type).toBe("ConfirmedDataDown");
    await until(() => fates(device.devEui).length === 1);
    await world.hear(reception(device.uplink({ payload: hex("02"), ack: true, confFCnt: first })));
    const second = await queue(device, "b", hex("02"), { confirmed: true });
    await nextTransmit(() => world.hear(reception(device.uplink({ payload: hex("03") }))));
    await until(() => fates(device.devEui).length === 3);
    await world.hear(reception(device.uplink({ payload: hex("04") })));
    await until(() => fates(device.devEui).length === 4);
    expect(fates(device.devEui).map(({ is, fCntDown }) => [is, fCntDown])).toEqual([
      ["downlink.sent", first],
      ["downlink.acknowledged", first],
      ["downlink.sent", second],
      ["downlink.not-acknowledged", second],
    ]);
  }
});

test("1.0.x: an ACK takes a later counter than one that is reserved; its offer is refused, and a new counter is given", async () => {
  const device = await world.personalise("1.0.4", "0000000000000301", "00000301");
  const body = entry(device, "q");
  const reserved = await reserve(body);
  const sent = await nextTransmit(() => world.hear(reception(device.uplink({ payload: hex("01"), confirmed: true }))));
  expect(device.hear(octets(sent), 1)).toMatchObject({ ack: true, fPending: true });
  if (reserved.result !== "reserved") throw new Error(reserved.code);
  const late = {
    ...body,
    sessionKeyId: reserved.sessionKeyId,
    fCntDown: 0,
    frmPayload: b64(hex("010203")),
    more: false,
  };
  expect(await offer(late)).toMatchObject({ result: "refused" });
  expect(await queue(device, "q")).toBe(2);
});

test("a payload that no window carries at this data rate is invalidated, with its counter (DESIGN §4)", async () => {
  const device = await world.personalise("1.0.4", "0000000000000302", "00000302");
  const fCntDown = await queue(device, "long", new Uint8Array(200));
  await world.hear(reception(device.uplink({ payload: hex("01") }), { dataRate: "SF12BW125" }));
  await until(() => fates(device.devEui).length === 1);
  expect(fates(device.devEui)).toMatchObject([
    { is: "downlink.invalidated", queueId: "long", fCntDown, reason: "too-long-for-data-rate" },
  ]);
});

test("a payload that was too long for the data rate three times has failed; the count starts anew with the next entry", async () => {
  const device = await world.personalise("1.0.4", "0000000000000309", "00000309");
  for (const queueId of ["slow", "slow", "slow", "next"]) {
    const before = fates(device.devEui).length;
    await queue(device, queueId, new Uint8Array(200));
    const uplink = device.uplink({ payload: hex("01"), confirmed: true });
    const sent = await nextTransmit(() => world.hear(reception(uplink, { dataRate: "SF12BW125" })));
    expect(device.hear(octets(sent), octets(sent).readUInt16LE(6))).toMatchObject({
      fPending: false,
    });
    await until(() => fates(device.devEui).length === before + 1);
  }
  expect(fates(device.devEui).map(({ is, queueId }) => [is, queueId])).toEqual([
    ["downlink.invalidated", "slow"],
    ["downlink.invalidated", "slow"],
    ["downlink.failed", "slow"],
    ["downlink.invalidated", "next"],
  ]);
});

test("1.1: a repeated frame with an ACK is known although its first copy was answered by another confirmed downlink", async () => {
  const device = await world.personalise("1.1", "000000000000030a", "0000030a", { fCntDown: 4 });
  const first = await queue(device, "a", hex("01"), { confirmed: true });
  await nextTransmit(() => world.hear(reception(device.uplink({ payload: hex("01") }))));
  await until(() => fates(device.devEui).length === 1);
  const second = await queue(device, "b", hex("02"), { confirmed: true });
  const acknowledging = device.uplink({ payload: hex("02"), confirmed: true, ack: true, confFCnt: first });
  const answer = await nextTransmit(() => world.hear(reception(acknowledging)));
  expect(device.hear(octets(answer), second, 1)?.payload).toEqual(hex("02"));
  await until(() => fates(device.devEui).length === 3);
  const later = { concentratorTime: "900000000" };
  // Later than the late duplicates of one transmission, which are dropped.
  const again = await until(() => world.transmits.length).then(async (before) => {
    for (let n = 0; n < 200 && world.transmits.length === before; n++) {
      await world.hear(reception(acknowledging, later));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return world.transmits[before] as Transmit;
  });
  expect(device.hear(octets(again), octets(again).readUInt16LE(6), 1)?.ack).toBe(true);
});

test("when no gateway takes it, the downlink is invalidated: its counter is never used for another frame", async () => {
  const device = await world.personalise("1.0.4", "0000000000000303", "00000303");
  const fCntDown = await queue(device, "q");
  world.answerTransmits(() => ({ result: "refused", code: "schedule/duty-cycle" }));
  await world.hear(reception(device.uplink({ payload: hex("01") })));
  await until(() => fates(device.devEui).length === 1);
  world.answerTransmits(() => ({ result: "transmitted", window: 1, confirmedByGateway: true }));
  expect(fates(device.devEui)).toMatchObject([{ is: "downlink.invalidated", fCntDown, reason: "schedule/duty-cycle" }]);
  const again = await queue(device, "q");
  expect(again).toBe(fCntDown + 1);
});

test.each([false, true])(
  "confirmed %s: a downlink of unknown fate (no TX_ACK) counts as sent and is not encrypted anew; an ACK settles it",
  async (confirmed) => {
    const n = confirmed ? "00000308" : "00000307";
    const device = await world.personalise("1.0.4", `00000000${n}`, n);
    const fCntDown = await queue(device, "q", hex("0a0b0c"), { confirmed });
    world.answerTransmits(() => ({ result: "refused", code: "gateway/no-tx-ack" }));
    await nextTransmit(() => world.hear(reception(device.uplink({ payload: hex("01") }))));
    await until(() => fates(device.devEui).length === 1);
    world.answerTransmits(() => ({ result: "transmitted", window: 0, confirmedByGateway: true }));
    expect(fates(device.devEui)).toMatchObject([{ is: "downlink.sent", queueId: "q", fCntDown }]);
    if (!confirmed) return;
    await world.hear(reception(device.uplink({ payload: hex("02"), ack: true })));
    await until(() => fates(device.devEui).length === 2);
    expect(fates(device.devEui)[1]).toMatchObject({ is: "downlink.acknowledged", queueId: "q" });
  },
);

test("a downlink that waits for a session which ends is invalidated", async () => {
  const device = await world.register("1.0.4", "0000000000000304");
  const join = async (devNonce: number) => {
    const sent = await nextTransmit(() => world.hear(reception(device.joinRequest(rootKey, devNonce))));
    device.accept(octets(sent), rootKey, appKey, devNonce);
  };
  await join(1);
  expect(await reserve(entry(device, "early"))).toEqual({ result: "refused", code: "downlink/no-session" });
  await world.hear(reception(device.uplink({ payload: hex("01") })));
  await queue(device, "q");
  await join(2);
  await world.hear(reception(device.uplink({ payload: hex("02") })));
  await until(() => fates(device.devEui).length === 1);
  expect(fates(device.devEui)).toMatchObject([{ is: "downlink.invalidated", queueId: "q", reason: "session-changed" }]);
  expect(await queue(device, "q")).toBe(0);
});

test("only one downlink of a device is open; the same entry gets a fresh counter; what cannot be sent is refused", async () => {
  const device = await world.personalise("1.1", "0000000000000305", "00000305");
  expect(await reserve(entry(device, "q"))).toMatchObject({ result: "reserved", fCntDown: 0, devAddr: "00000305" });
  expect(await reserve(entry(device, "other"))).toEqual({ result: "refused", code: "downlink/busy" });
  expect(await reserve(entry(device, "q"))).toMatchObject({ fCntDown: 1 });
  const refusals: [object, string][] = [
    [{ ...entry(device, "q"), devEui: "00000000000003ff" }, "downlink/unknown-device"],
    [{ ...entry(device, "q"), size: 243 }, "downlink/too-long"],
    [{ ...entry(device, "q"), fPort: 0 }, "downlink/invalid"],
    [{ ...entry(device, "q"), fPort: 224 }, "downlink/invalid"],
    [{ devEui: 5 }, "downlink/invalid"],
  ];
  for (const [body, code] of refusals) expect(await reserve(body)).toEqual({ result: "refused", code });
  const good = {
    ...entry(device, "q"),
    sessionKeyId: "00000000000003050000000000000305",
    fCntDown: 1,
    frmPayload: b64(hex("010203")),
    more: false,
  };
  for (const wrong of [
    { fCntDown: 0 },
    { sessionKeyId: "x" },
    { frmPayload: b64(hex("0102")) },
    { queueId: "z" },
    { frmPayload: "!" },
  ])
    expect(await offer({ ...good, ...wrong })).toMatchObject({ result: "refused" });
  expect(await offer(good)).toEqual({ result: "accepted" });
});

test("what is withdrawn is never sent; what was sent cannot be withdrawn", async () => {
  const device = await world.personalise("1.0.4", "0000000000000306", "00000306");
  const withdraw = (...queueIds: string[]) =>
    world.application.ask<Withdrawn>("downlink.withdraw", { devEui: device.devEui, queueIds });
  await queue(device, "gone");
  expect(await withdraw("gone", "never-heard-of")).toEqual({ queueIds: ["gone", "never-heard-of"] });
  const before = world.transmits.length;
  await world.hear(reception(device.uplink({ payload: hex("01") })));
  expect(world.transmits.length).toBe(before);
  expect(await queue(device, "sent")).toBe(1);
  await world.hear(reception(device.uplink({ payload: hex("02") })));
  await until(() => fates(device.devEui).length === 1);
  expect(await withdraw("sent")).toEqual({ queueIds: [] });
});
