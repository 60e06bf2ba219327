import { wrapEnvelope } from "@trefoil/custody";
import type { InProcess, TestNetwork } from "@trefoil/service/testing";
import type { Address } from "@trefoil/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  admin,
  createApplication,
  FakeDevice,
  FakeNetworkServer,
  kek,
  makeFolder,
  metric,
  type Subscriber,
  startServer,
  subscriber,
  textOf,
  until,
} from "./harness.ts";

let network: TestNetwork;
let running: InProcess;
let ns: FakeNetworkServer;
let client: Subscriber;

beforeAll(async () => {
  network = await makeFolder();
  running = await startServer(network);
  ns = new FakeNetworkServer(network, running.listeners.link as Address);
  await ns.up();
  const credentials = await createApplication(network, "parking");
  client = await subscriber(running, credentials, "v3/parking/devices/+/up", "v3/+/devices/+/join");
});
afterAll(async () => {
  await client.end();
  await ns.link.close();
  await running.stop();
  network.remove();
});

const register = async (...rows: unknown[]) =>
  (await admin(network, "POST", "/devices", rows)).body as { results: object[] };
/** What came since `from`. */
const since = async (from: number, count: number) => (await client.got(from + count)).slice(from);

test("a joined device's uplinks reach a QoS 1 subscriber in the clear, in order, under their own ids", async () => {
  const device = new FakeDevice(1);
  expect(await register(device.registration("parking"))).toEqual({ results: [{ ok: true }] });
  const { events } = await ns.send(device.join(), device.uplink("hello"), device.uplink("world"));
  const [join, ...uplinks] = await since(0, 3);
  expect(join?.topic).toBe("v3/parking/devices/sensor-1/join");
  expect(uplinks.map(({ topic, qos }) => ({ topic, qos }))).toEqual(
    Array(2).fill({ topic: "v3/parking/devices/sensor-1/up", qos: 1 }),
  );
  expect(uplinks.map(textOf)).toEqual(["hello", "world"]);
  expect(client.ids()).toEqual(events.map(({ id }) => id));
});

test("a new session becomes the only one at its first uplink; until then the former one works (DESIGN §4)", async () => {
  const device = new FakeDevice(2);
  await register(device.registration("parking"));
  const from = client.messages.length;
  await ns.send(device.join(), device.uplink("first session"));
  const former = { key: device.key, sessionKeyId: device.sessionKeyId };
  const join = device.join();
  const next = { key: device.key, sessionKeyId: device.sessionKeyId };
  Object.assign(device, former);
  device.fCntUp = 7;
  await ns.send(join, device.uplink("still the first"));
  Object.assign(device, next);
  await ns.send(device.uplink("second session"));
  const texts = (await since(from, 5)).filter(({ topic }) => topic.endsWith("/up")).map(textOf);
  expect(texts).toEqual(["first session", "still the first", "second session"]);
});

test("a batch that comes again is taken once", async () => {
  const device = new FakeDevice(3);
  await register(device.registration("parking"));
  const from = client.messages.length;
  const batch = await ns.send(device.join(), device.uplink("once"));
  await Promise.all([ns.resend(batch), ns.resend(batch)]);
  await ns.send(device.uplink("end"));
  expect((await since(from, 3)).map(textOf)).toEqual(["", "once", "end"]);
  expect(await metric(running, "trefoil_as_repeated_batches_total")).toBe(2);
});

test("an uplink whose key has not come is kept, and delivered when the device is created with it", async () => {
  const device = new FakeDevice(4);
  await register(device.registration("parking"));
  const from = client.messages.length;
  await ns.send(device.uplink("too early"), device.uplink("also"));
  expect(await metric(running, 'trefoil_as_events_total{is="uplink",outcome="kept-for-its-key"}')).toBe(2);
  const { key, sessionKeyId } = device;
  const join = device.join();
  // The join of that very session was overtaken by its uplinks.
  Object.assign(device, { key, sessionKeyId });
  await ns.send({ ...join, sessionKeyId, appSKey: wrapEnvelope(kek, key) } as never);
  const texts = (await since(from, 3)).filter(({ topic }) => topic.endsWith("/up")).map(textOf);
  expect(texts).toEqual(["too early", "also"]);
});

test("a personalised device's AppSKey comes sealed; uplinks work at once", async () => {
  const device = new FakeDevice(5);
  expect(await register(device.abp("parking"))).toEqual({ results: [{ ok: true }] });
  const from = client.messages.length;
  await ns.send(device.uplink("abp"));
  expect((await since(from, 1)).map(textOf)).toEqual(["abp"]);
});

test("an envelope without a label, with another label, or wrapped under another KEK gives no session and no crash (TS002 KeyEnvelope)", async () => {
  const device = new FakeDevice(6);
  await register(device.registration("parking"));
  const join = device.join() as { appSKey: { kekLabel: string; aesKey: string } };
  const wrong = [
    { aesKey: join.appSKey.aesKey, kekLabel: "" },
    { ...join.appSKey, kekLabel: "as/other" },
    { ...join.appSKey, aesKey: "00".repeat(24) },
  ];
  for (const [n, appSKey] of wrong.entries()) await ns.send({ ...join, id: `wrong-${n}`, appSKey } as never);
  await expect(
    ns.link.request("events", { sequence: 9_999, events: [{ ...join, appSKey: {} }] }),
  ).rejects.toMatchObject({
    code: "link/invalid-body",
  });
  for (const code of ["envelope/no-label", "envelope/unknown-label", "envelope/wrong-kek"])
    expect(await metric(running, `trefoil_as_events_total{is="join",outcome="${code}"}`)).toBe(1);
});

test("events of unknown devices are counted and dropped; the rest of the batch is delivered", async () => {
  const [known, unknown] = [new FakeDevice(7), new FakeDevice(8)];
  await register(known.abp("parking"));
  const from = client.messages.length;
  await ns.send(unknown.join(), unknown.uplink("nobody"), known.uplink("somebody"));
  expect((await since(from, 1)).map(textOf)).toEqual(["somebody"]);
  expect(await metric(running, 'trefoil_as_events_total{is="uplink",outcome="unknown-device"}')).toBe(1);
});

test("an uplink without payload, or long enough for three octets of length, is delivered", async () => {
  const device = new FakeDevice(9);
  await register(device.abp("parking"));
  const from = client.messages.length;
  await ns.send(
    device.uplink("", { frmPayload: "", fPort: undefined }),
    device.uplink("many gateways", { rxMetadata: Array(200).fill(device.rxMetadata) }),
  );
  const [empty, long] = await since(from, 2);
  expect(empty?.json.uplink_message).not.toHaveProperty("frm_payload");
  expect(textOf(long)).toBe("many gateways");
  expect(long?.json).toMatchObject({ uplink_message: { rx_metadata: { length: 200 } } });
});

test("a deleted device's events go nowhere; its id and DevEUI are free again", async () => {
  const device = new FakeDevice(10);
  await register(device.abp("parking"));
  expect((await register(device.abp("parking"))).results[0]).toMatchObject({ ok: false, code: "device/exists" });
  expect((await admin(network, "DELETE", `/devices/${device.devEui}`)).status).toBe(200);
  expect((await admin(network, "DELETE", `/devices/${device.devEui}`)).status).toBe(404);
  const from = client.messages.length;
  await ns.send(device.uplink("gone"));
  device.key = new FakeDevice(10).key;
  expect(await register(device.abp("parking"))).toEqual({ results: [{ ok: true }] });
  await ns.send(device.uplink("back"));
  expect((await since(from, 1)).map(textOf)).toEqual(["back"]);
});

test("a device is shown with its sessions, and without a key", async () => {
  const device = new FakeDevice(11);
  await register(device.registration("parking"));
  await ns.send(device.join());
  const pending = { sessionKeyId: device.sessionKeyId, state: "pending" };
  const show = async () => (await admin(network, "GET", `/devices/${device.devEui.toUpperCase()}`)).body;
  const { joinEui, ...registration } = device.registration("parking");
  expect(await show()).toEqual({ ...registration, joinEui, sessions: [pending], downlinksWaiting: 0 });
  await ns.send(device.uplink("first"));
  expect(await show()).toMatchObject({ sessions: [{ ...pending, state: "current" }] });
  expect((await admin(network, "GET", "/devices/00000000000000ff")).status).toBe(404);
});

test("metrics and status tell of devices, sessions and clients", async () => {
  await until(async () => (await metric(running, "trefoil_as_devices")) === 10);
  const { body } = await admin(network, "GET", "/status");
  expect(body).toMatchObject({ role: "application-server", facts: { devices: 10, applications: 1, mqttClients: 1 } });
});
