import { startChild, type TestChild, type TestNetwork } from "@trefoil/service/testing";
import type { Address, NetworkEvent } from "@trefoil/wire";
import type { IClientOptions } from "mqtt";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import {
  admin,
  createApplication,
  FakeDevice,
  FakeNetworkServer,
  makeFolder,
  metric,
  Subscriber,
  textOf,
  until,
} from "./harness.ts";

const main = new URL("../src/main.ts", import.meta.url).pathname;
/** Of whichever application the client belongs to: each test has its own, on one server. */
const filter = "v3/+/devices/+/up";

let network: TestNetwork;
let child: TestChild;
let listeners: { readonly [name: string]: Address };
let ns: FakeNetworkServer | undefined;
let credentials: IClientOptions;
let device: FakeDevice;
const clients: Subscriber[] = [];

async function start(change: object = {}): Promise<void> {
  child = startChild(main, network.boot("application-server", change));
  listeners = await child.ready;
  const former = ns;
  ns = new FakeNetworkServer(network, listeners.link as Address);
  if (former !== undefined) ns.continue(former);
  await ns.up();
}
async function kill(): Promise<void> {
  await child.kill("SIGKILL");
  await ns?.link.close();
}
const send = (...events: NetworkEvent[]) => (ns as FakeNetworkServer).send(...events);
async function connect(options: IClientOptions = {}): Promise<Subscriber> {
  const client = new Subscriber(listeners.mqtt as Address, {
    ...credentials,
    clientId: "durable",
    clean: false,
    ...options,
  });
  clients.push(client);
  await client.connected();
  return client;
}
const unique = (...subscribers: Subscriber[]) => new Set(subscribers.flatMap((each) => each.ids()));

let n = 0;
beforeAll(async () => {
  network = await makeFolder();
  await start();
});
beforeEach(async () => {
  credentials = await createApplication(network, `app-${++n}`);
  device = new FakeDevice(n);
  await admin(network, "POST", "/devices", [device.abp(`app-${n}`)]);
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end();
});
afterAll(async () => {
  await kill();
  network.remove();
});

test("a durable session gets what came while its client was away, once, from its cursor", async () => {
  const first = await connect();
  await first.subscribe(filter);
  await send(device.uplink("1"), device.uplink("2"));
  await first.got(2);
  await first.client.endAsync();
  await send(device.uplink("3"));
  await send(device.uplink("4"));
  const second = await connect();
  expect((await second.got(2)).map(textOf)).toEqual(["3", "4"]);
  await send(device.uplink("5"));
  expect((await second.got(3)).map(textOf)).toEqual(["3", "4", "5"]);
});

test("after kill -9 of the server the session goes on at its cursor: nothing is lost, what comes again has the same id", async () => {
  const first = await connect();
  await first.subscribe(filter);
  const sent: string[] = [];
  const sendPairs = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const { events } = await send(device.uplink("a"), device.uplink("b"));
      sent.push(...events.map(({ id }) => id));
    }
  };
  await sendPairs(20);
  await kill(); // The client may have got any part of them.
  await start();
  await sendPairs(5);
  const second = await connect();
  await until(() => sent.every((id) => unique(first, second).has(id)));
  expect(unique(first, second).size).toBe(sent.length);
  expect(second.ids().slice(-10)).toEqual(sent.slice(-10)); // In order.
});

test("a message that was sent and not acknowledged comes again, with DUP and its identifier, to the client that comes back (MQTT-4.4.0-1)", async () => {
  const first = await connect();
  await first.subscribe(filter);
  const received: number[] = [];
  // Acknowledges nothing: mqtt.js sends the PUBACK when this calls back.
  first.client.handleMessage = (packet) => void received.push((packet as { messageId?: number }).messageId ?? 0);
  await send(device.uplink("1"));
  await until(() => received.length === 1);
  await first.end();
  const second = await connect();
  const [again] = await second.got(1);
  expect(again?.dup).toBe(true);
  expect(again?.packetId).toBe(received[0]);
});

test("a slow client's window is bounded, and it delays nobody", async () => {
  const slow = await connect({ clientId: "slow" });
  await slow.subscribe(filter);
  let got = 0;
  slow.client.handleMessage = () => void got++;
  const quick = await connect({ clientId: "quick" });
  await quick.subscribe(filter);
  const uplinks = Array.from({ length: 1_500 }, (_, i) => device.uplink(`${i}`));
  for (let i = 0; i < uplinks.length; i += 100) await send(...uplinks.slice(i, i + 100));
  expect(await quick.got(1_500)).toHaveLength(1_500);
  expect(got).toBeLessThanOrEqual(1_024);
  expect(
    await metric({ listeners }, `trefoil_as_client_lag_batches{application="app-${n}",client="slow"}`),
  ).toBeGreaterThan(0);
});

test("subscriptions survive a restart, changes of them too; a clean session clears all", async () => {
  const first = await connect();
  await first.subscribe(filter);
  await first.subscribe("v3/+/devices/+/join");
  await first.client.unsubscribeAsync(filter);
  await first.client.endAsync();
  await kill();
  await start();
  await send(device.join(), device.uplink("not subscribed"));
  const second = await connect();
  expect((await second.got(1)).map(({ topic }) => topic)).toEqual([`v3/app-${n}/devices/sensor-${n}/join`]);
  await second.client.endAsync();
  const clean = await connect({ clean: true });
  await send(device.join());
  await clean.client.endAsync();
  await kill();
  await start();
  const third = await connect();
  await third.subscribe(filter);
  await send(device.uplink("fresh"));
  expect((await third.got(1)).map(textOf)).toEqual(["fresh"]);
});

test("a new subscription means what comes from now on; QoS 0 is for those who are there", async () => {
  const first = await connect();
  await first.subscribe("v3/+/devices/+/join");
  await send(device.uplink("before"));
  await first.subscribe(filter, 0);
  await send(device.uplink("live"));
  expect((await first.got(1)).map(textOf)).toEqual(["live"]);
  await first.client.endAsync();
  await send(device.uplink("away"), device.join());
  const second = await connect();
  await send(device.uplink("back"));
  expect((await second.got(2)).map(({ topic }) => topic.split("/").at(-1))).toEqual(["join", "up"]);
});

test("a session that fell behind the pruned log gets what is left, and that is counted", async () => {
  await kill();
  await start({ keepEvents: 1_000 });
  const first = await connect();
  await first.subscribe(filter);
  await first.client.endAsync();
  const uplinks = Array.from({ length: 3_000 }, (_, i) => device.uplink(`${i}`));
  for (let i = 0; i < uplinks.length; i += 100) await send(...uplinks.slice(i, i + 100));
  await until(async () => (await metric({ listeners }, "trefoil_as_log_events")) <= 1_000);
  await kill(); // What is still in memory would be given to it.
  await start({ keepEvents: 1_000 });
  const second = await connect();
  await until(() => second.messages.some((message) => textOf(message) === "2999"));
  expect(second.messages.length).toBeLessThan(3_000);
  expect(second.messages.length).toBeGreaterThanOrEqual(1_000);
  expect(await metric({ listeners }, "trefoil_as_fell_behind_total")).toBe(1);
});

test("an uplink of a session that has ended is read by a client that comes back later", async () => {
  const first = await connect();
  await first.subscribe(filter);
  await first.client.endAsync();
  await send(device.uplink("under the old key"));
  await send(device.join(), device.uplink("under the new key"));
  await kill();
  await start();
  const second = await connect();
  expect((await second.got(2)).map(textOf)).toEqual(["under the old key", "under the new key"]);
});

test("times and decorations that are out of range or no values at all neither stop the server nor hold up what follows", async () => {
  const first = await connect();
  await first.subscribe(filter);
  const rx = device.rxMetadata;
  const odd = [
    device.uplink("far future", { at: 8.64e15, rxMetadata: [{ ...rx, gpsTimeMs: 1e300, receivedAt: 8.64e15 }] }),
    device.uplink("nulls", {
      airtimeMs: null,
      codingRate: null,
      rxMetadata: [{ ...rx, rssi: null, snr: null, channel: null, antenna: 0.5, gpsTimeMs: null, location: null }],
    }),
    device.uplink("absent", {
      airtimeMs: undefined,
      rxMetadata: [{ ...rx, rssi: undefined, location: { latitude: 1 } }],
    }),
  ];
  await send(...odd, device.uplink("next"));
  const messages = await first.got(4);
  expect(messages.map(textOf)).toEqual(["far future", "nulls", "absent", "next"]);
  const ups = messages.map(
    ({ json }) => json.uplink_message as unknown as { [name: string]: unknown; rx_metadata: object[] },
  );
  expect(ups[0]?.rx_metadata[0]).not.toHaveProperty("gps_time");
  const known = ["gateway_ids", "received_at", "timestamp"];
  expect(Object.keys(ups[1]?.rx_metadata[0] ?? {}).sort()).toEqual(known);
  expect(ups[2]?.rx_metadata[0]).not.toHaveProperty("location");
  for (const up of [ups[1], ups[2]]) expect(up).not.toHaveProperty("consumed_airtime");
  expect(ups[3]).toMatchObject({ consumed_airtime: "0.056576s", rx_metadata: [{ rssi: -57, snr: 9.5 }] });
  await expect(send({ ...device.uplink("whose?"), devEui: null as never })).rejects.toThrow();
});
