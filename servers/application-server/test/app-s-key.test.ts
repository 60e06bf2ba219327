/** AppSKeys that the application-server asks the join server for (TS002 AppSKeyReq), with a join server that the test plays. */
import {
  type AppSKeyAns,
  type AppSKeyReq,
  answerHeader,
  encodeMessage,
  parseMessage,
} from "@trefoil/backend-interfaces";
import { type Key, type LabelledKek, makeKey, wrapEnvelope } from "@trefoil/custody";
import { type HttpsListener, listenHttps } from "@trefoil/service";
import { type InProcess, startInProcess, type TestNetwork } from "@trefoil/service/testing";
import type { Address, NetworkEvent } from "@trefoil/wire";
import type { IClientOptions } from "mqtt";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { definition } from "../src/definition.ts";
import {
  admin,
  createApplication,
  FakeDevice,
  FakeNetworkServer,
  kek,
  makeFolder,
  metric,
  type Subscriber,
  subscriber,
  textOf,
  until,
} from "./harness.ts";

let network: TestNetwork;
let joinServer: HttpsListener;
let running: InProcess;
let ns: FakeNetworkServer;
let credentials: IClientOptions;
let client: Subscriber;
const asked: AppSKeyReq[] = [];
const keys = new Map<string, Key<"AppSKey">>();
let change: (answer: AppSKeyAns) => AppSKeyAns = (answer) => answer;
let gate: Promise<unknown> | undefined;

async function play(): Promise<HttpsListener> {
  return listenHttps(network.station("join-server"), {
    address: joinServer?.address ?? { host: "127.0.0.1", port: 0 },
    from: ["application-server"],
    handler: async ({ body }) => {
      const parsed = parseMessage(JSON.parse(body));
      if (parsed.result === "refused" || parsed.message.MessageType !== "AppSKeyReq") return { status: 400, body: {} };
      const { message } = parsed;
      asked.push(message);
      await gate;
      return { status: 200, body: encodeMessage(change(answerTo(message))) };
    },
  });
}
function answerTo(message: AppSKeyReq, under: LabelledKek = kek): AppSKeyAns {
  const header = answerHeader(message, "AppSKeyAns");
  const key = keys.get(message.SessionKeyID);
  if (key === undefined) return { ...header, Result: { code: "UnknownDevEUI" } };
  const { DevEUI, SessionKeyID } = message;
  return { ...header, Result: { code: "Success" }, DevEUI, SessionKeyID, AppSKey: wrapEnvelope(under, key) };
}
const start = async (config: object = {}) => {
  running = await startInProcess(
    definition,
    network.boot("application-server", config, { "join-server": joinServer.address }),
  );
  const former = ns;
  ns = new FakeNetworkServer(network, running.listeners.link as Address);
  if (former !== undefined) ns.continue(former);
  await ns.up();
};
const restart = async (config: object = {}) => {
  await client.end();
  await running.stop();
  await start(config);
  client = await subscriber(running, { ...credentials, clientId: "watch", clean: false }, "v3/+/devices/+/up");
};

let n = 0;
let device: FakeDevice;
/** A join as a network-server tells it that relays the SessionKeyID alone. */
function keylessJoin(from = device): NetworkEvent {
  const { appSKey: _, ...join } = from.join() as Extract<NetworkEvent, { is: "join" }>;
  keys.set(from.sessionKeyId, from.key);
  return join;
}
const metricOf = (outcome: string) => metric(running, `trefoil_as_app_s_key_requests_total{outcome="${outcome}"}`);
const texts = () => client.messages.map(textOf);

beforeAll(async () => {
  network = await makeFolder("join-server");
  joinServer = await play();
  await start();
  credentials = await createApplication(network, "parking");
});
beforeEach(async () => {
  device = new FakeDevice(++n);
  await admin(network, "POST", "/devices", [device.registration("parking")]);
  client = await subscriber(running, { ...credentials, clientId: "watch", clean: false }, "v3/+/devices/+/up");
});
afterEach(async () => {
  change = (answer) => answer;
  gate = undefined;
  await client.end();
});
afterAll(async () => {
  await running.stop();
  await joinServer.close();
  network.remove();
});

test("a join without AppSKey: the join server of its JoinEUI is asked by SessionKeyID; uplinks wait for the key and are delivered once, in order", async () => {
  const { promise, resolve: open } = Promise.withResolvers();
  gate = promise;
  await ns.send(keylessJoin());
  await ns.send(device.uplink("one"), device.uplink("two"));
  await until(() => asked.length === 1);
  expect(asked[0]).toMatchObject({
    SenderID: "trefoil-as",
    ReceiverID: device.joinEui,
    DevEUI: device.devEui,
    SessionKeyID: device.sessionKeyId,
  });
  const { body } = await admin(network, "GET", "/status");
  expect(body).toMatchObject({ facts: { sessionsWithoutKey: 1 } });
  expect(client.messages).toEqual([]);
  open(undefined);
  await client.got(2);
  await ns.send(device.uplink("three"));
  await client.got(3);
  expect(texts()).toEqual(["one", "two", "three"]);
  expect(asked).toHaveLength(1);
  await restart();
  await ns.send(device.uplink("four"));
  await until(() => texts().includes("four"));
  expect(asked).toHaveLength(1);
});

test("a join server that is away, and a restart: the key is asked for again, what waited is delivered", async () => {
  await joinServer.close();
  await ns.send(keylessJoin(), device.uplink("kept"));
  await until(async () => (await metricOf("https/down")) > 0);
  await client.end();
  await running.stop();
  joinServer = await play();
  await start();
  client = await subscriber(running, { ...credentials, clientId: "watch", clean: false }, "v3/+/devices/+/up");
  await until(() => texts().includes("kept"));
});

const wrong: [string, (answer: AppSKeyAns) => AppSKeyAns][] = [
  ["UnknownDevEUI", ({ AppSKey: _, ...answer }) => ({ ...answer, Result: { code: "UnknownDevEUI" } })],
  ["malformed-answer/AppSKey", ({ AppSKey: _, ...answer }) => answer],
  ["malformed-answer/SessionKeyID", (answer) => ({ ...answer, SessionKeyID: "00".repeat(16) })],
  ["malformed-answer/DevEUI", (answer) => ({ ...answer, DevEUI: "00".repeat(8) })],
  ["malformed-answer/TransactionID", (answer) => ({ ...answer, TransactionID: (answer.TransactionID + 1) % 2 ** 32 })],
  [
    "envelope/unknown-label",
    (answer) => ({
      ...answer,
      AppSKey: wrapEnvelope({ label: "as/other", key: makeKey("KEK", 32) }, makeKey("AppSKey")),
    }),
  ],
  [
    "envelope/wrong-kek",
    (answer) => ({ ...answer, AppSKey: wrapEnvelope({ ...kek, key: makeKey("KEK", 32) }, makeKey("AppSKey")) }),
  ],
];
test.each(wrong)("%s: counted, told to the operator, and asked again; nothing is lost", async (code, answer) => {
  change = answer;
  await ns.send(keylessJoin(), device.uplink(code));
  await until(async () => (await metricOf(code)) === 1);
  expect(texts()).not.toContain(code);
  change = (good) => good;
  await restart();
  await until(() => texts().includes(code));
});

test("the join server of the JoinEUI that is registered here is asked, whatever the network-server says", async () => {
  const count = asked.length;
  await ns.send({ ...keylessJoin(), joinEui: "eeeeeeeeeeeeeeee" } as NetworkEvent);
  await until(() => asked.length > count);
  expect(asked.at(-1)?.ReceiverID).toBe(device.joinEui);
});

test("a key that comes after the next session has begun opens what waited, and disturbs nothing", async () => {
  const { promise, resolve: open } = Promise.withResolvers();
  gate = promise;
  await ns.send(keylessJoin(), device.uplink("old"));
  await ns.send(device.join(), device.uplink("new"));
  await until(() => texts().includes("new"));
  open(undefined);
  await until(() => texts().includes("old"));
  await restart();
  await ns.send(device.uplink("newer"));
  await until(() => texts().includes("newer"));
  const { body } = await admin(network, "GET", `/devices/${device.devEui}`);
  expect(body).toMatchObject({ sessions: [{ sessionKeyId: device.sessionKeyId, state: "current" }] });
});

test("a deleted device's key is not asked for any more", async () => {
  change = wrong[0]?.[1] as typeof change;
  await ns.send(keylessJoin());
  const before = await metricOf("UnknownDevEUI");
  await until(async () => (await metricOf("UnknownDevEUI")) >= Math.max(before, 1));
  await admin(network, "DELETE", `/devices/${device.devEui}`);
  const count = asked.length;
  await restart();
  expect(await admin(network, "GET", "/status")).toMatchObject({ body: { facts: { sessionsWithoutKey: 0 } } });
  expect(asked.length).toBe(count);
});
