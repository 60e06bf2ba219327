/**
 * The narrowest whole path: a 1.0.4 and a 1.1 device of the simulator join, send confirmed uplinks, and hear an application downlink,
 * encrypted by the application-server, in RX1 and in time, while 500 other uplinks a second pass.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Key } from "@trefoil/custody";
import {
  Device,
  Gateway,
  loadDevices,
  loadGateways,
  Medium,
  RealClock,
  regions,
  seededRandom,
} from "@trefoil/simulator";
import mqtt from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDevices, type DeviceKeys, type NewDevice } from "../src/commands/provision.ts";
import { projectDir } from "../src/supervisor/node-flags.ts";
import { createApplication, createGateway, startTestNetwork, type TestNetwork, until } from "./kit.ts";

const gatewayEui = "0016c001f1500021";
const joinEui = "70b3d57ed0001003";
const load = { devices: 500, perSecond: 500, seed: 5, gateways: 2 };

let net: TestNetwork;
beforeAll(async () => {
  net = await startTestNetwork();
});
afterAll(() => net?.close());

const asKeys = (keys: { readonly [role: string]: Uint8Array }) =>
  new Map(Object.entries(keys).map(([role, octets]) => [role, new Key(role as "AppKey", octets)])) as DeviceKeys;

async function provision(
  devices: readonly Omit<NewDevice, "applicationId" | "region">[],
  applicationId: string,
): Promise<void> {
  const { netId, asId } = net.config.network;
  const rows = devices.map((device) => ({ ...device, applicationId, region: "EU868" }));
  const results = await createDevices({ dataDir: net.dataDir, netId, asId }, rows);
  expect(results.filter((result) => !result.ok)).toEqual([]);
}

test("join, confirmed uplink, application downlink in RX1, beside 500 other uplinks a second", async () => {
  const app = await createApplication(net, "narrow");
  await createApplication(net, "crowd");
  await createGateway(net, "near", gatewayEui);
  for (const [i, eui] of loadGateways(load.gateways, load.seed).entries()) await createGateway(net, `crowd-${i}`, eui);
  const crowd = [...loadDevices(load.devices, load.seed)].map(({ devEui, devAddr, nwkSKey, appSKey }, i) => ({
    deviceId: `crowd-${i}`,
    devEui,
    macVersion: "1.0.4" as const,
    keys: asKeys({ NwkSKey: nwkSKey, AppSKey: appSKey }),
    abp: { devAddr },
  }));
  await provision(crowd, "crowd");

  const clock = new RealClock();
  const medium = new Medium(clock);
  const world = { region: regions.EU868, clock, medium, random: seededRandom(1) };
  const server = net.address("gateway-server", "udp");
  const gateway = new Gateway({ ...world, eui: gatewayEui, position: [50, 0, 10], server });
  await gateway.start();
  const key = (fill: number) => new Uint8Array(96).fill(fill).subarray(0, 16);
  const devices = [
    { deviceId: "old-one", version: "1.0.4", devEui: "70b3d57ed0062001", keys: { appKey: key(1) } },
    { deviceId: "new-one", version: "1.1", devEui: "70b3d57ed0062002", keys: { appKey: key(2), nwkKey: key(3) } },
  ] as const;
  await provision(
    devices.map(({ deviceId, version, devEui, keys }) => ({
      deviceId,
      devEui,
      joinEui,
      macVersion: version,
      keys: asKeys("nwkKey" in keys ? { AppKey: keys.appKey, NwkKey: keys.nwkKey } : { AppKey: keys.appKey }),
    })),
    "narrow",
  );

  const { host, port } = net.address("application-server", "mqtt");
  const client = await mqtt.connectAsync(`mqtt://${host}:${port}`, app);
  const got: { topic: string; body: Record<string, Record<string, unknown>> }[] = [];
  client.on("message", (topic, payload) => got.push({ topic, body: JSON.parse(payload.toString()) }));
  await client.subscribeAsync("#", { qos: 1 });

  const generator = spawn(
    process.execPath,
    [
      `${projectDir}apps/simulator/src/load/main.ts`,
      "--server",
      `${server.host}:${server.port}`,
      "--devices",
      `${load.devices}`,
      "--seed",
      `${load.seed}`,
      "--gateways",
      `${load.gateways}`,
      "--rate",
      `${load.perSecond}`,
      "--seconds",
      "120",
    ],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const reports: { is: string; sent?: number; acked?: number }[] = [];
  createInterface({ input: generator.stdout }).on("line", (line) => reports.push(JSON.parse(line)));
  await until("the crowd speaks", () => reports.filter(({ is }) => is === "report").length >= 2, 60_000);

  for (const { deviceId, version, devEui, keys } of devices) {
    const device = new Device({ ...world, devEui, joinEui, version, keys, position: [0, 0, 1] });
    const heard: { is: string; [field: string]: unknown }[] = [];
    device.on((event) => heard.push(event as unknown as { is: string }));
    for (let tries = 0; !(await device.join()); ) expect(++tries, `${deviceId} joins`).toBeLessThan(4);

    await device.send({ fPort: 7, payload: Uint8Array.of(1, 2, 3), confirmed: true });
    expect(heard, `${deviceId}: the first uplink is acknowledged`).toContainEqual(
      expect.objectContaining({ is: "acknowledged" }),
    );
    await until("the uplink is on MQTT", () =>
      got.some(
        ({ topic, body }) =>
          topic === `v3/narrow/devices/${deviceId}/up` && body.uplink_message?.frm_payload === "AQID",
      ),
    );

    const queued = got.filter(({ topic }) => topic.endsWith("down/queued")).length;
    await client.publishAsync(
      `v3/narrow/devices/${deviceId}/down/push`,
      JSON.stringify({ downlinks: [{ f_port: 15, frm_payload: "vu8=", priority: "NORMAL" }] }),
      { qos: 1 },
    );
    await until(
      "the downlink is queued",
      () => got.filter(({ topic }) => topic.endsWith("down/queued")).length > queued,
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    await device.send({ fPort: 7, payload: Uint8Array.of(4), confirmed: true });
    const withData = heard.find((event) => event.is === "downlink" && event.data !== undefined);
    expect(withData, `${deviceId}: the downlink is heard, in RX1`).toMatchObject({
      window: "RX1",
      data: { fPort: 15, payload: Uint8Array.of(0xbe, 0xef) },
    });
    await until("its fate is told", () => got.some(({ topic }) => topic === `v3/narrow/devices/${deviceId}/down/sent`));
    device.stop();
  }

  // How fast the crowd really spoke depends on the machine; that it spoke all the time does not.
  const last = reports.findLast(({ is }) => is === "report");
  expect(last?.sent).toBeGreaterThan(1_000);
  expect(last?.acked).toBeGreaterThan(0.9 * (last?.sent ?? 0));
  generator.stdin.write("stop\n");
  await once(generator, "exit");
  await client.endAsync(true);
  await gateway.close();
  clock.close();
});
