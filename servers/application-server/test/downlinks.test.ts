import type { InProcess, TestNetwork } from "@trefoil/service/testing";
import type { Address, Offer, Reserve, Withdraw } from "@trefoil/wire";
import type { IClientOptions } from "mqtt";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type Answers,
  admin,
  createApplication,
  FakeDevice,
  FakeNetworkServer,
  makeFolder,
  metric,
  type Subscriber,
  startServer,
  subscriber,
  until,
} from "./harness.ts";

let network: TestNetwork;
let running: InProcess;
let ns: FakeNetworkServer;
let credentials: IClientOptions;
let client: Subscriber;
let device: FakeDevice;

/** Counters and offers of the one device, as the network-server would keep them. */
let nextFCntDown = 0;
let accepted: Offer[] = [];
let refuseOffers = 0;
const answers: Answers = {
  "downlink.reserve": (_: Reserve) => ({
    result: "reserved",
    sessionKeyId: device.sessionKeyId,
    devAddr: device.devAddr,
    fCntDown: nextFCntDown++,
  }),
  "downlink.offer": (offer: Offer) => {
    if (refuseOffers-- > 0) return { result: "refused", code: "downlink/counter-overtaken" };
    accepted.push(offer);
    return { result: "accepted" };
  },
  "downlink.withdraw": ({ queueIds }: Withdraw) => ({ queueIds }),
};

beforeEach(async () => {
  [nextFCntDown, accepted, refuseOffers] = [5, [], 0];
  network = await makeFolder();
  running = await startServer(network);
  device = new FakeDevice(1);
  credentials = await createApplication(network, "app");
  await admin(network, "POST", "/devices", [device.abp("app")]);
  client = await subscriber(running, credentials, "v3/app/devices/+/down/+");
  await connectNetworkServer();
});
afterEach(async () => {
  await client.end();
  await ns.link.close();
  await running.stop();
  network.remove();
});

async function connectNetworkServer(changed: Answers = {}): Promise<void> {
  ns = new FakeNetworkServer(network, running.listeners.link as Address, { ...answers, ...changed });
  await ns.up();
}
const push = (downlinks: unknown, what = "push") =>
  client.client.publishAsync(
    `v3/app/devices/sensor-1/down/${what}`,
    typeof downlinks === "string" ? downlinks : JSON.stringify({ downlinks }),
    { qos: 1 },
  );
const clear = ({ fCntDown, frmPayload }: Offer) =>
  Buffer.from(device.crypt("down", fCntDown, Buffer.from(frmPayload, "base64"))).toString();
const payload = (text: string) => Buffer.from(text).toString("base64");
const offered = (count: number) => until(() => accepted.length >= count);
const kinds = () => client.messages.map(({ topic }) => topic.split("/").slice(4).join("/"));
const counters = () => accepted.map(({ fCntDown }) => fCntDown);

test("a push is queued, reserved, encrypted under the given counter, offered; sent and acknowledged are told", async () => {
  await push([
    { f_port: 15, frm_payload: payload("open"), confirmed: true, priority: "HIGH", correlation_ids: ["order-1"] },
  ]);
  await offered(1);
  const [offer] = accepted as [Offer];
  expect(offer).toMatchObject({
    devEui: device.devEui,
    sessionKeyId: device.sessionKeyId,
    fCntDown: 5,
    fPort: 15,
    size: 4,
    confirmed: true,
    more: false,
  });
  expect(Buffer.from(offer.frmPayload, "base64").toString()).not.toBe("open");
  expect(clear(offer)).toBe("open");
  await ns.send(device.sent(offer.queueId, 5));
  await ns.send(device.about("downlink.acknowledged", offer.queueId, 5));
  const [queued, sent, ack] = await client.got(3);
  expect(kinds()).toEqual(["down/queued", "down/sent", "down/ack"]);
  const content = {
    f_port: 15,
    frm_payload: payload("open"),
    confirmed: true,
    priority: "HIGH",
    correlation_ids: ["order-1"],
  };
  const counted = { ...content, f_cnt: 5, session_key_id: Buffer.from(device.sessionKeyId, "hex").toString("base64") };
  expect(queued?.json).toMatchObject({ end_device_ids: { device_id: "sensor-1" }, downlink_queued: content });
  expect(sent?.json).toMatchObject({ end_device_ids: { dev_addr: "26000001" }, downlink_sent: counted });
  expect(ack?.json).toMatchObject({ downlink_ack: counted });
});

test("one reservation at a time, in order; FPending while more is waiting", async () => {
  await push([
    { f_port: 1, frm_payload: payload("a") },
    { f_port: 2, frm_payload: payload("b") },
  ]);
  await push([{ f_port: 3, frm_payload: payload("c") }]);
  await offered(1);
  await ns.send(device.uplink("not yet"));
  expect(accepted).toHaveLength(1);
  for (const n of [1, 2, 3]) {
    await offered(n);
    const { queueId, fCntDown } = accepted[n - 1] as Offer;
    await ns.send(device.sent(queueId, fCntDown));
  }
  expect(accepted.map(clear)).toEqual(["a", "b", "c"]);
  expect(accepted.map(({ more }) => more)).toEqual([true, true, false]);
  expect(counters()).toEqual([5, 6, 7]);
});

test("an invalidated downlink is encrypted anew under a new counter; no two plaintexts share one (DESIGN §4)", async () => {
  await push([
    { f_port: 1, frm_payload: payload("first") },
    { f_port: 1, frm_payload: payload("second") },
  ]);
  await offered(1);
  const { queueId } = accepted[0] as Offer;
  await ns.send(device.lost("downlink.invalidated", queueId, 5, "downlink/session-changed"));
  await offered(2);
  expect(accepted.map((offer) => [offer.queueId === queueId, clear(offer)])).toEqual([
    [true, "first"],
    [true, "first"],
  ]);
  refuseOffers = 1;
  await ns.send(device.sent(queueId, 6));
  await offered(3);
  expect(counters()).toEqual([5, 6, 8]); // 7 was refused: it is skipped, not used again.
  expect(clear(accepted[2] as Offer)).toBe("second");
  expect(kinds()).not.toContain("down/invalidated");
});

test.each(["downlink.invalidated", "downlink.failed"] as const)(
  "%s of a counter that the downlink has no more changes nothing: what was offered under a later one goes on",
  async (is) => {
    await push([{ f_port: 1, frm_payload: payload("first") }, { f_port: 2 }]);
    await offered(1);
    const { queueId } = accepted[0] as Offer;
    await ns.send(device.lost("downlink.invalidated", queueId, 5, "downlink/session-changed"));
    await offered(2);
    await ns.send(device.lost(is, queueId, 5, "late"));
    await ns.send({ ...device.lost(is, queueId, 6, "another session's"), sessionKeyId: "former" });
    expect(await metric(running, "trefoil_as_downlinks_waiting")).toBe(2);
    await ns.send(device.uplink("stirs the queue"));
    await ns.send(device.sent(queueId, 6));
    await offered(3);
    expect(accepted.map(({ fPort, fCntDown }) => [fPort, fCntDown])).toEqual([
      [1, 5],
      [1, 6],
      [2, 7],
    ]);
  },
);

test("a counter that the network-server gives out twice is refused: nothing is encrypted under it", async () => {
  await push([
    { f_port: 1, frm_payload: payload("one") },
    { f_port: 1, frm_payload: payload("two") },
  ]);
  await offered(1);
  nextFCntDown = 5;
  await ns.send(device.sent((accepted[0] as Offer).queueId, 5));
  await until(async () => (await metric(running, 'trefoil_as_downlinks_total{outcome="counter-refused"}')) === 1);
  nextFCntDown = 4;
  await ns.send(device.uplink("again"));
  await until(async () => (await metric(running, 'trefoil_as_downlinks_total{outcome="counter-refused"}')) === 2);
  nextFCntDown = 9;
  await ns.send(device.uplink("and now"));
  await offered(2);
  expect(counters()).toEqual([5, 9]);
});

test("a personalised device that is deleted and made again goes on above its last counter (DESIGN §4)", async () => {
  await push([{ f_port: 1, frm_payload: payload("one") }]);
  await offered(1);
  const remake = async (change: object = {}) => {
    expect((await admin(network, "DELETE", `/devices/${device.devEui}`)).status).toBe(200);
    const { abp, ...registration } = device.abp("app");
    const { body } = await admin(network, "POST", "/devices", [{ ...registration, abp: { ...abp, ...change } }]);
    expect(body).toMatchObject({ results: [{ ok: true }] });
    return (await admin(network, "GET", `/devices/${device.devEui}`)).body as { sessions: object[] };
  };
  expect(await remake()).toMatchObject({ sessions: [{ lastFCntDown: 5 }] });
  nextFCntDown = 5;
  await push([{ f_port: 2, frm_payload: payload("two") }]);
  await until(async () => (await metric(running, 'trefoil_as_downlinks_total{outcome="counter-refused"}')) === 1);
  expect(accepted).toHaveLength(1);
  // Another DevAddr is another keystream; the former one's guard stays for when it comes back.
  expect((await remake({ devAddr: "26ffffff" })).sessions[0]).not.toHaveProperty("lastFCntDown");
  expect(await remake()).toMatchObject({ sessions: [{ lastFCntDown: 5 }] });
});

test("across a restart: the same offer again or a fresh counter, never another plaintext under the old one", async () => {
  await ns.link.close();
  const { promise: never } = Promise.withResolvers();
  await connectNetworkServer({ "downlink.offer": () => never });
  await push([{ f_port: 1, frm_payload: payload("interrupted") }]);
  await until(() => ns.asked.some(({ method }) => method === "downlink.offer"));
  const before = ns.asked.at(-1)?.body as Offer;
  await running.stop();
  await ns.link.close();
  running = await startServer(network);
  await connectNetworkServer();
  await offered(1);
  expect(accepted).toEqual([{ ...before }]);
  expect(ns.asked.map(({ method }) => method)).toEqual(["downlink.offer"]);
});

test("after a restart, an offer that had been accepted and sent is not sent a second time", async () => {
  await push([{ f_port: 1, frm_payload: payload("sent meanwhile") }]);
  await offered(1);
  const { queueId, fCntDown } = accepted[0] as Offer;
  await ns.link.close();
  await running.stop();
  running = await startServer(network);
  refuseOffers = 1;
  await connectNetworkServer({ "downlink.withdraw": () => ({ queueIds: [] }) });
  await until(() => ns.asked.some(({ method }) => method === "downlink.withdraw"));
  client = await subscriber(running, credentials, "v3/app/devices/+/down/+");
  await ns.send(device.sent(queueId, fCntDown));
  expect((await client.got(1))[0]?.json).toMatchObject({
    downlink_sent: { frm_payload: payload("sent meanwhile"), f_cnt: 5 },
  });
  expect(ns.asked.map(({ method }) => method)).toEqual(["downlink.offer", "downlink.withdraw"]);
});

test("replace withdraws what was offered and drops what waits; an empty one clears", async () => {
  await push([
    { f_port: 1, frm_payload: payload("old") },
    { f_port: 1, frm_payload: payload("older") },
  ]);
  await offered(1);
  await push([{ f_port: 2, frm_payload: payload("new") }], "replace");
  await offered(2);
  expect(accepted.map(clear)).toEqual(["old", "new"]);
  expect(ns.asked.find(({ method }) => method === "downlink.withdraw")?.body).toEqual({
    devEui: device.devEui,
    queueIds: [(accepted[0] as Offer).queueId],
  });
  expect(counters()).toEqual([5, 6]);
  await push([], "replace");
  await until(async () => (await metric(running, "trefoil_as_downlinks_waiting")) === 0);
});

test("what could not be withdrawn has been sent, and is told", async () => {
  await ns.link.close();
  await connectNetworkServer({ "downlink.withdraw": () => ({ queueIds: [] }) });
  await push([{ f_port: 1, frm_payload: payload("too late") }]);
  await offered(1);
  await push([{ f_port: 2, frm_payload: payload("new") }], "replace");
  await offered(2);
  await ns.send(device.sent((accepted[0] as Offer).queueId, 5));
  const messages = await client.got(3);
  expect(messages[2]?.json).toMatchObject({ downlink_sent: { f_port: 1, frm_payload: payload("too late"), f_cnt: 5 } });
});

test.each([
  ["{", "not_json", {}],
  ['{"downlinks":[{"f_port":224}]}', "f_port", {}],
  [`{"downlinks":[{"f_port":7,"frm_payload":"${Buffer.alloc(243).toString("base64")}"}]}`, "too_long", { f_port: 7 }],
])("bad input for a known device is told as down/failed: %s", async (text, name, downlink) => {
  await push(text);
  const [failed] = await client.got(1);
  expect(failed?.topic).toBe("v3/app/devices/sensor-1/down/failed");
  expect(failed?.json).toMatchObject({ downlink_failed: { downlink, error: { name } } });
  expect(ns.asked).toEqual([]);
});

test("a queue has an end", async () => {
  await ns.link.close();
  for (let n = 0; n < 3; n++) await push(Array(100).fill({ f_port: 1 }));
  const messages = await client.got(201);
  expect(messages.at(-1)?.json).toMatchObject({ downlink_failed: { error: { name: "queue_full" } } });
});

test("without a session, or while another is open, the device's next event is awaited; what is vain fails", async () => {
  await ns.link.close();
  const refusals = ["downlink/no-session", "downlink/busy", "downlink/too-long"];
  await connectNetworkServer({ "downlink.reserve": () => ({ result: "refused", code: refusals.shift() }) });
  await push([{ f_port: 1, frm_payload: payload("x") }]);
  await until(() => ns.asked.length === 1);
  await ns.send(device.uplink("1"));
  await until(() => ns.asked.length === 2);
  await ns.send(device.uplink("2"));
  const messages = await client.got(2);
  expect(messages.at(-1)?.json).toMatchObject({
    downlink_failed: { downlink: { frm_payload: payload("x") }, error: { name: "too_long" } },
  });
});

test("a reservation under a session whose join is still on its way waits for it", async () => {
  const former = { key: device.key, sessionKeyId: device.sessionKeyId };
  const join = device.join();
  expect(device.key).not.toBe(former.key);
  await push([{ f_port: 1, frm_payload: payload("new key") }]);
  await until(() => ns.asked.length === 1);
  expect(accepted).toEqual([]);
  await ns.send(join);
  await offered(1);
  expect(clear(accepted[0] as Offer)).toBe("new key");
});

test("nack and the network-server's failures are told; the next one follows", async () => {
  await push([{ f_port: 1, confirmed: true }, { f_port: 2 }, { f_port: 3 }]);
  await offered(1);
  await ns.send(device.sent((accepted[0] as Offer).queueId, 5));
  await ns.send(device.about("downlink.not-acknowledged", (accepted[0] as Offer).queueId, 5));
  await offered(2);
  await ns.send(device.lost("downlink.failed", (accepted[1] as Offer).queueId, 6, "downlink/too-long"));
  await offered(3);
  const messages = await client.got(6);
  expect(kinds().slice(3)).toEqual(["down/sent", "down/nack", "down/failed"]);
  expect(messages.at(-1)?.json).toMatchObject({
    downlink_failed: { downlink: { f_port: 2, f_cnt: 6 }, error: { name: "too_long" } },
  });
});
