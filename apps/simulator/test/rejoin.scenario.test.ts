/**
 * Rejoins through the network-server and the application-server, over their real links, judged by the simulator: it has not one line in common with
 * them. The gateway is the air's end of a link; the join server relays the SessionKeyID alone, so that the application-server asks for each AppSKey.
 */
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { definition as applicationServer } from "@trefoil/application-server";
import { encodeKekFile, encodeSealingKey, makeSealingKeyPair } from "@trefoil/custody";
import { networkServer } from "@trefoil/network-server";
import { appKey, asKek, kek, makeJoinServer, rootKey } from "@trefoil/network-server/testing";
import { connectLink } from "@trefoil/service";
import { type InProcess, makeTestNetwork, startInProcess } from "@trefoil/service/testing";
import type { Address, Reception, Role, Transmit, Transmitted } from "@trefoil/wire";
import mqtt from "mqtt";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Device, type DeviceEvent, Medium, RealClock, regions, seededRandom } from "../src/index.ts";
import { airtimeUs, rateName } from "../src/radio/modulation.ts";

const closers: (() => Promise<unknown> | unknown)[] = [];
afterAll(async () => {
  for (const close of closers.reverse()) await close();
});

const clock = new RealClock();
const medium = new Medium(clock, { exponent: 2.9, shadowingDb: 0, seed: 1 });
const region = regions.EU868;
const gateway = { id: "0000000000000a01", position: [100, 0, 10] as const };
const delivered: string[] = [];
let admin: <T>(role: Role, method: string, path: string, body?: unknown) => Promise<T>;

beforeAll(async () => {
  closers.push(() => clock.close());
  const network = await makeTestNetwork("gateway-server", "network-server", "application-server", "join-server");
  closers.push(() => network.remove());
  for (const [role, own] of [
    ["network-server", kek],
    ["application-server", asKek],
  ] as const) {
    writeFileSync(join(network.dataDir(role), "kek.key"), encodeKekFile(own), { mode: 0o600 });
    const sealing = encodeSealingKey(makeSealingKeyPair().privateKey);
    writeFileSync(join(network.dataDir(role), "sealing.key"), sealing, { mode: 0o600 });
  }
  admin = (role, method, path, body) => adminCall(join(network.dataDir(role), "admin.sock"), method, path, body);
  const joinServer = await makeJoinServer(network, { relaysSessionKeyId: true });
  closers.push(() => joinServer.close());
  const asking = { "join-server": joinServer.address };
  const application = await startInProcess(applicationServer, network.boot("application-server", {}, asking));
  closers.push(() => application.stop());
  const peers = { ...asking, "application-server": application.listeners.link as Address };
  const ns = await startInProcess(networkServer, network.boot("network-server", { deduplicationWindowMs: 40 }, peers));
  closers.push(() => ns.stop());
  openGateway(network.station("gateway-server"), ns);
  await subscribe(application);
});

/** An ear in the air and a voice, at the end of the link to the network-server. */
function openGateway(station: Parameters<typeof connectLink>[0], ns: InProcess): void {
  const transmit = ({ phyPayload, concentratorTime, windows: [window] }: Transmit): Transmitted => {
    const octets = Buffer.from(phyPayload, "base64");
    const rate = region.rates.find((each) => each !== undefined && rateName(each) === window?.dataRate);
    const startUs = Number(concentratorTime) + (window?.delayUs ?? 0);
    if (!window || !rate || startUs < clock.now()) return { result: "refused", code: "gateway/too-late" };
    const endUs = startUs + airtimeUs(rate, octets.length, { crc: false });
    clock.at(startUs, () =>
      medium.emit({ from: gateway, startUs, endUs, hz: window.hz, rate, inverted: true, eirpDbm: 14, octets }),
    );
    return { result: "transmitted", window: 0, confirmedByGateway: true };
  };
  const link = connectLink(station, {
    to: "network-server",
    address: ns.listeners.link as Address,
    methods: { transmit: { check: () => undefined, handle: transmit } },
  });
  closers.push(() => link.close());
  medium.addEar({
    place: gateway,
    locks: ({ inverted }) => !inverted,
    ended: ({ octets, hz, rate, endUs }, quality) => {
      const reception: Reception = {
        gateway: gateway.id,
        phyPayload: Buffer.from(octets).toString("base64"),
        hz,
        dataRate: rateName(rate),
        codingRate: "4/5",
        concentratorTime: String(endUs),
        rssi: quality?.rssi ?? -100,
        snr: quality?.snr ?? 0,
        receivedAt: Date.now(),
        trust: "none",
      };
      if (quality) void link.request("uplinks", { receptions: [reception] });
    },
  });
}

async function subscribe(application: InProcess): Promise<void> {
  const { mqtt: credentials } = await admin<{ mqtt: { username: string; password: string } }>(
    "application-server",
    "POST",
    "/applications",
    { applicationId: "parking" },
  );
  const { host, port } = application.listeners.mqtt as Address;
  const client = await mqtt.connectAsync(`mqtt://${host}:${port}`, { ...credentials, reconnectPeriod: 0 });
  closers.push(() => client.endAsync(true));
  client.on("message", (_topic, message) => {
    const { uplink_message: up } = JSON.parse(message.toString());
    delivered.push(Buffer.from(up.frm_payload, "base64").toString());
  });
  await client.subscribeAsync("v3/parking/devices/+/up", { qos: 1 });
}

async function join11(n: number): Promise<{ device: Device; of: (is: DeviceEvent["is"]) => DeviceEvent[] }> {
  const devEui = `70b3d57ed00000a${n}`;
  const joinEui = "70b3d57ed0000001";
  const row = { devEui, joinEui };
  await admin("network-server", "POST", "/devices", [
    { ...row, macVersion: "1.1", region: "EU868", asId: "trefoil-as" },
  ]);
  await admin("application-server", "POST", "/devices", [{ ...row, applicationId: "parking", deviceId: `bay-${n}` }]);
  const device = new Device({
    ...{ devEui, joinEui, version: "1.1", keys: { nwkKey: rootKey, appKey } },
    ...{ region, clock, medium, position: [n * 10, 0, 1], random: seededRandom(`rejoin ${n}`) },
  });
  const events: DeviceEvent[] = [];
  device.on((event) => events.push(event));
  expect(await device.join()).toBe(true);
  return { device, of: (is) => events.filter((event) => event.is === is) };
}

const send = (device: Device, text: string) => device.send({ fPort: 1, payload: Buffer.from(text), confirmed: true });

test.concurrent.each([0, 1, 2] as const)(
  "type %i: a session of 1.1, a rejoin, the new session: uplinks arrive decrypted under both, RekeyInd is confirmed (LoRaWAN 1.1 §6.2.4)",
  async (type) => {
    const { device, of } = await join11(type);
    expect(await send(device, `${type} old`)).toMatchObject({ acknowledged: true });
    if (type === 2) await admin("network-server", "POST", `/devices/${device.devEui}/expect-rejoin`);
    const { devAddr } = device.session ?? {};
    expect(await device.rejoin({ type, tries: 3 })).toBe(true);
    expect(device.session?.devAddr).not.toBe(devAddr);
    expect(await send(device, `${type} new`)).toMatchObject({ acknowledged: true, fCntUp: 0 });
    expect(of("rekey-confirmed")).toHaveLength(2);
    expect(of("refused")).toEqual([]);
    await vi.waitFor(() => expect(delivered).toEqual(expect.arrayContaining([`${type} old`, `${type} new`])), 20_000);
    const { sessions } = await admin<{ sessions: object[] }>("network-server", "GET", `/devices/${device.devEui}`);
    expect(sessions).toMatchObject([{ devAddr: device.session?.devAddr, isPending: false, fCntUp: 0 }]);
  },
);

function adminCall<T>(socketPath: string, method: string, path: string, body?: unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const asked = request({ socketPath, method, path, headers }, (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve(JSON.parse(Buffer.concat(parts).toString("utf8")) as T));
    });
    asked.on("error", reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
