/**
 * The ways of keys that the narrow path does not take, through the whole network: rejoins of each type, AppSKeys that the application-server asks for
 * itself (AppSKeyReq), and KEKs that are replaced while devices are in use.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Key } from "@trefoil/custody";
import { Device, Gateway, Medium, RealClock, regions, seededRandom } from "@trefoil/simulator";
import type { SealedKeys } from "@trefoil/wire";
import mqtt from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call } from "../src/admin/client.ts";
import { ownerSays } from "../src/commands/owner-says.ts";
import { createDevices, type DeviceKeys } from "../src/commands/provision.ts";
import { isolatedConfig } from "../src/demo/setting.ts";
import { createApplication, createGateway, startTestNetwork, type TestNetwork, until } from "./kit.ts";

const gatewayEui = "0016c001f1500041";
const joinEui = "70b3d57ed0001004";
const keys = { appKey: octets(0x41), nwkKey: octets(0x42) };
const delivered: string[] = [];
const closers: (() => unknown)[] = [];
let net: TestNetwork;
let device: Device;

function octets(fill: number): Uint8Array {
  return new Uint8Array(96).fill(fill).subarray(0, 16);
}

beforeAll(async () => {
  const config = isolatedConfig();
  net = await startTestNetwork({ config: { ...config, network: { ...config.network, appSKey: "app-s-key-req" } } });
  closers.push(() => net.close());
  const app = await createApplication(net, "keys");
  await createGateway(net, "near", gatewayEui);
  const clock = new RealClock();
  closers.push(() => clock.close());
  const medium = new Medium(clock);
  const world = { region: regions.EU868, clock, medium, random: seededRandom(4) };
  const gateway = new Gateway({
    ...{ ...world, eui: gatewayEui, position: [50, 0, 10] },
    server: net.address("gateway-server", "udp"),
  });
  await gateway.start();
  closers.push(() => gateway.close());
  const devEui = "70b3d57ed0064001";
  const sealed: DeviceKeys = new Map<string, Key>([
    ["AppKey", new Key("AppKey", keys.appKey)],
    ["NwkKey", new Key("NwkKey", keys.nwkKey)],
  ]) as DeviceKeys;
  const row = { applicationId: "keys", deviceId: "one", devEui, joinEui, macVersion: "1.1", region: "EU868" } as const;
  const { netId, asId } = net.config.network;
  expect(await createDevices({ dataDir: net.dataDir, netId, asId }, [{ ...row, keys: sealed }])).toEqual([
    { ok: true },
  ]);
  device = new Device({ ...world, devEui, joinEui, version: "1.1", keys, position: [0, 0, 1] });

  const { host, port } = net.address("application-server", "mqtt");
  const client = await mqtt.connectAsync(`mqtt://${host}:${port}`, app);
  closers.push(() => client.endAsync(true));
  client.on("message", (_topic, payload) =>
    delivered.push(Buffer.from(JSON.parse(payload.toString()).uplink_message.frm_payload ?? "", "base64").toString()),
  );
  await client.subscribeAsync("v3/keys/devices/+/up", { qos: 1 });
});
afterAll(async () => {
  for (const close of closers.reverse()) await close();
});

/** Requests are lost now and then where many processes share few cores. */
async function begins(session: () => Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; !(await session()); ) expect(++tries, what).toBeLessThan(4);
}
async function says(text: string): Promise<void> {
  await device.send({ fPort: 7, payload: Buffer.from(text), confirmed: true });
  await until(`${text} is on MQTT`, () => delivered.includes(text));
}

test("a join whose JoinAns has no AppSKey: the application-server asks for it, and reads", async () => {
  await begins(() => device.join(), "it joins");
  await says("joined");
});

test.each([0, 1, 2] as const)("rejoin type %i: new keys for everybody, none in the wrong place", async (type) => {
  if (type === 2) await call(net.dataDir, "network-server", "POST", `/devices/${device.devEui}/expect-rejoin`, {});
  const { devAddr } = device.session ?? {};
  await begins(() => device.rejoin({ type }), `it rejoins by type ${type}`);
  expect(device.session?.devAddr).not.toBe(devAddr);
  await says(`rejoined ${type}`);
});

test("both servers get a new KEK: sessions go on, new ones come under it, also when both were killed", async () => {
  const receivers = [
    ["network-server", { network: { netId: net.config.network.netId } }],
    ["application-server", { asId: net.config.network.asId }],
  ] as const;
  for (const [role, is] of receivers) {
    const { label, kek } = await call<{ label: string; kek: SealedKeys }>(net.dataDir, role, "POST", "/kek", {});
    expect(label).toMatch(/\/2$/);
    expect(await ownerSays(net.dataDir, [{ kind: "kek", label, ...is, kek }])).toBe("in force");
  }
  await says("under the former");
  await begins(() => device.rejoin({ type: 0 }), "it rejoins under the new KEKs");
  await says("under the new");
  for (const [role] of receivers) {
    const times = JSON.parse(readFileSync(join(net.dataDir, role, "keks.json"), "utf8"));
    expect(Object.entries(times).find(([label]) => label.endsWith("/2"))?.[1]).toHaveProperty("usedAt");
    const pid = net.pid(role);
    process.kill(pid, "SIGKILL");
    await until(`the ${role} is there again`, () => Boolean(net.network.running()[role]) && net.pid(role) !== pid);
  }
  await begins(async () => (await device.send({ fPort: 7, confirmed: true })).acknowledged, "it is heard again");
  await says("after the kill");
});
