import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { InProcess, TestNetwork } from "@trefoil/service/testing";
import type { Address } from "@trefoil/wire";
import type { IClientOptions } from "mqtt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  admin,
  createApplication,
  FakeDevice,
  FakeNetworkServer,
  makeFolder,
  metric,
  Subscriber,
  startServer,
  subscriber,
  textOf,
  until,
} from "./harness.ts";

let network: TestNetwork;
let running: InProcess;
let ns: FakeNetworkServer;
let mine: IClientOptions;
let theirs: IClientOptions;
const [myDevice, theirDevice] = [new FakeDevice(1), new FakeDevice(2)];

beforeAll(async () => {
  network = await makeFolder();
  running = await startServer(network);
  ns = new FakeNetworkServer(network, running.listeners.link as Address);
  await ns.up();
  mine = await createApplication(network, "mine");
  theirs = await createApplication(network, "theirs");
  await admin(network, "POST", "/devices", [myDevice.abp("mine"), theirDevice.abp("theirs")]);
});
afterAll(async () => {
  await ns.link.close();
  await running.stop();
  network.remove();
});

const mqttAddress = () => running.listeners.mqtt as Address;
const connack = async (options: IClientOptions) => {
  const client = new Subscriber(mqttAddress(), options);
  const code = await client.connected();
  await client.end();
  return code;
};
const refusals = (code: string) => metric(running, `trefoil_as_mqtt_refused_total{code="${code}"}`);

describe("who may come in (MQTT 3.1.1 §3.2.2.3)", () => {
  test.each([
    ["an application with its password", () => mine, 0],
    ["nobody in particular", () => ({}), 4],
    ["a name without a password", () => ({ username: "mine" }), 4],
    ["a wrong password", () => ({ ...mine, password: "wrong" }), 4],
    ["another application's password", () => ({ ...mine, password: theirs.password as string }), 4],
    ["an application that does not exist", () => ({ ...mine, username: "nobody" }), 4],
    ["a name that an object inherits", () => ({ ...mine, username: "__proto__" }), 4],
    ["a client id over 128 characters", () => ({ ...mine, clientId: "x".repeat(129) }), 2],
    ["MQTT 5", () => ({ ...mine, protocolVersion: 5 as const }), 1],
  ])("%s", async (_who, options, code) => expect(await connack(options())).toBe(code));

  test("MQTT 5 is refused with a CONNACK that its clients understand", async () => {
    expect(await refusals("mqtt/protocol-version")).toBeGreaterThan(0);
  });

  test("passwords are not in the store", async () => {
    const files = ["store.sqlite", "store.sqlite-wal"].map((name) =>
      readFileSync(join(network.dataDir("application-server"), name)),
    );
    const octets = Buffer.concat(files);
    expect(octets.includes("theirs")).toBe(true);
    expect(octets.includes(String(theirs.password))).toBe(false);
  });
});

describe("what one may subscribe to", () => {
  test.each(["v3/theirs/devices/+/up", "v3/theirs/#", "$SYS/#", "v3/mine/devices/+/down/push", "other"])(
    "%s is refused with 128",
    async (filter) => {
      const client = await subscriber(running, mine);
      expect(await client.subscribe(filter)).toBe(128);
      await client.end();
    },
  );

  test.each(["#", "v3/#", "v3/+/devices/+/up", "+/+/devices/#", "v3/mine/devices/sensor-1/up"])(
    "%s means the own application's only",
    async (filter) => {
      const client = await subscriber(running, mine);
      expect(await client.subscribe(filter)).toBe(1);
      await ns.send(theirDevice.uplink("secret"), myDevice.uplink("mine"));
      const [first] = await client.got(1);
      expect(first?.topic).toBe("v3/mine/devices/sensor-1/up");
      expect(textOf(first)).toBe("mine");
      expect(client.messages).toHaveLength(1);
      await client.end();
    },
  );

  test("QoS 0 as subscribed; a filter that was given up brings nothing more; each message comes once", async () => {
    const client = await subscriber(running, mine);
    expect(await client.subscribe("#", 0)).toBe(0);
    await client.subscribe("v3/mine/devices/sensor-1/up", 1);
    await ns.send(myDevice.uplink("both"));
    await client.client.unsubscribeAsync("v3/mine/devices/sensor-1/up");
    await ns.send(myDevice.uplink("zero"));
    await client.client.unsubscribeAsync("#");
    await ns.send(myDevice.uplink("none"));
    await client.subscribe("v3/+/devices/+/up", 2);
    await ns.send(myDevice.uplink("two"));
    expect((await client.got(3)).map((message) => [textOf(message), message.qos])).toEqual([
      ["both", 1],
      ["zero", 0],
      ["two", 1],
    ]);
    await client.end();
  });
});

describe("what one may publish", () => {
  test.each([
    "v3/mine/devices/sensor-1/up",
    "v3/theirs/devices/sensor-2/down/push",
    "v3/mine/devices/sensor-2/down/push",
    "v3/mine/devices/sensor-1/down/sent",
    "anything",
  ])("%s goes nowhere, and the connection stays (3.1.1 has no refusal)", async (topic) => {
    const [client, other] = [await subscriber(running, mine, "#"), await subscriber(running, theirs, "#")];
    for (const qos of [0, 1, 2] as const)
      await client.client.publishAsync(topic, '{"downlinks":[{"f_port":1}]}', { qos, retain: true });
    await ns.send(myDevice.uplink("still there"), theirDevice.uplink("undisturbed"));
    expect((await client.got(1)).map(textOf)).toEqual(["still there"]);
    expect((await other.got(1)).map(textOf)).toEqual(["undisturbed"]);
    expect(client.client.connected).toBe(true);
    await Promise.all([client.end(), other.end()]);
  });

  test("refusals are counted", async () => {
    expect(await refusals("mqtt/publish-not-allowed")).toBe(12);
    expect(await refusals("mqtt/unknown-device")).toBe(3);
  });

  test("a packet that says it is large is not waited for, before a password too", async () => {
    const socket = connect(mqttAddress());
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    socket.write(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f, 0x00]));
    await closed;
    const client = await subscriber(running, mine);
    const gone = new Promise((resolve) => client.client.once("close", () => resolve(undefined)));
    client.client.publish("v3/mine/devices/sensor-1/down/push", Buffer.alloc(300 * 1024), { qos: 0 });
    await gone;
    expect(await refusals("mqtt/packet-too-large")).toBeGreaterThanOrEqual(2);
  });

  test("octets that are no MQTT end their connection only", async () => {
    const client = await subscriber(running, mine, "#");
    for (const octets of [Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.alloc(4096, 0xff), Buffer.from([0xc0, 0])]) {
      const socket = connect(mqttAddress());
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.on("error", () => undefined);
      socket.end(octets);
      await closed;
    }
    await ns.send(myDevice.uplink("unmoved"));
    expect((await client.got(1)).map(textOf)).toEqual(["unmoved"]);
    await client.end();
  });
});

test("ten thousand mutated packets after a right password: connections end, the server does not", async () => {
  const text = (value: string) => Buffer.concat([Buffer.from([value.length >> 8, value.length]), Buffer.from(value)]);
  const packet = (type: number, ...parts: (Buffer | string)[]) => {
    const body = Buffer.concat(parts.map((part) => (typeof part === "string" ? text(part) : part)));
    const length = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7];
    return Buffer.concat([Buffer.from([type, ...length]), body]);
  };
  const login = packet(0x10, "MQTT", Buffer.from([4, 0xc0, 0, 60]), "fuzz", "mine", String(mine.password));
  const packets = [
    packet(0x82, Buffer.from([0, 1]), "v3/+/devices/+/up", Buffer.from([1])),
    packet(0xa2, Buffer.from([0, 2]), "v3/+/devices/+/up"),
    packet(
      0x32,
      "v3/mine/devices/sensor-1/down/push",
      Buffer.from([0, 3]),
      Buffer.from('{"downlinks":[{"f_port":1}]}'),
    ),
    packet(0x34, "v3/mine/devices/sensor-1/down/replace", Buffer.from([0, 4]), Buffer.from('{"downlinks":[]}')),
    packet(0x62, Buffer.from([0, 4])),
    packet(0x40, Buffer.from([0, 1])),
    packet(0x50, Buffer.from([0, 1])),
    packet(0x70, Buffer.from([0, 1])),
    packet(0xc0),
  ];
  let state = 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const mutated = (from: Buffer) => {
    const octets = Buffer.from(from);
    for (let n = random(3); n >= 0; n--) octets[random(octets.length)] = random(256);
    return random(8) === 0 ? octets.subarray(0, random(octets.length)) : octets;
  };
  for (let connection = 0; connection < 100; connection++) {
    const socket = connect(mqttAddress());
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    socket.resume();
    const stream = Array.from({ length: 100 }, () => mutated(packets[random(packets.length)] as Buffer));
    socket.end(Buffer.concat([connection % 10 === 0 ? mutated(login) : login, ...stream]));
    await closed;
  }
  const client = await subscriber(running, mine, "v3/+/devices/+/up");
  await ns.send(myDevice.uplink("alive"));
  expect((await client.got(1)).map(textOf)).toEqual(["alive"]);
  await client.end();
});

test("the same client id in two applications are two clients; in one it is one (MQTT-3.1.4-2)", async () => {
  const [first, other] = [
    await subscriber(running, { ...mine, clientId: "x" }, "#"),
    await subscriber(running, { ...theirs, clientId: "x" }, "#"),
  ];
  const second = await subscriber(running, { ...mine, clientId: "x" }, "#");
  await until(() => !first.client.connected);
  await ns.send(myDevice.uplink("for the second"), theirDevice.uplink("for the other"));
  expect((await second.got(1)).map(textOf)).toEqual(["for the second"]);
  expect((await other.got(1)).map(textOf)).toEqual(["for the other"]);
  await Promise.all([first.end(), second.end(), other.end()]);
});

test("an application with devices stays; a deleted one's clients are sent away", async () => {
  expect(await admin(network, "DELETE", "/applications/mine")).toMatchObject({
    status: 409,
    body: { error: { code: "application/has-devices" } },
  });
  const credentials = await createApplication(network, "brief");
  const client = await subscriber(running, credentials, "#");
  expect(await admin(network, "POST", "/applications", { applicationId: "brief" })).toMatchObject({ status: 409 });
  expect(await admin(network, "POST", "/applications", { applicationId: "Bad Name" })).toMatchObject({ status: 400 });
  expect((await admin(network, "DELETE", "/applications/brief")).status).toBe(200);
  await until(() => !client.client.connected);
  expect(await connack(credentials)).toBe(4);
});

test("devices are listed, of all applications or of one; a bad row does not stop the rest", async () => {
  const row = (n: number) => ({ applicationId: "mine", deviceId: `d-${n}`, devEui: n.toString(16).padStart(16, "0") });
  const rows = [
    row(1),
    { ...row(2), deviceId: "Not An Id" },
    { ...row(3), applicationId: "nowhere" },
    { ...row(4), devEui: "x" },
    row(1),
    { ...theirDevice.abp("mine"), devEui: row(5).devEui, deviceId: "d-5" },
    row(6),
  ];
  const { body } = await admin(network, "POST", "/devices", rows);
  expect((body as { results: { ok: boolean; code?: string }[] }).results.map(({ ok, code }) => code ?? ok)).toEqual([
    true,
    "device/id",
    "device/application",
    "device/dev-eui",
    "device/exists",
    "device/wrong-keys",
    true,
  ]);
  const list = async (query: string) =>
    ((await admin(network, "GET", `/devices${query}`)).body as { deviceId: string }[]).map(({ deviceId }) => deviceId);
  expect(await list("?application=mine")).toEqual(["sensor-1", "d-1", "d-6"]);
  expect(await list("")).toEqual(["sensor-1", "sensor-2", "d-1", "d-6"]);
  expect((await admin(network, "GET", "/devices?application=nowhere")).status).toBe(404);
  const many = Array.from({ length: 1_200 }, (_, n) => row(1_000 + n));
  expect((await admin(network, "POST", "/devices", many)).body).toEqual({ results: many.map(() => ({ ok: true })) });
  expect(await list("")).toHaveLength(1_204);
  expect((await admin(network, "POST", "/devices", Array(10_001).fill({}))).status).toBe(413);
});
