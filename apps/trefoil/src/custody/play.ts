/** What is played: joins of every kind, uplinks and downlinks, with keys and payloads that the verifier knows. */
import { randomBytes } from "node:crypto";
import type { Config } from "@trefoil/service";
import mqtt, { type MqttClient } from "mqtt";
import { UserError } from "../commands/output.ts";
import { applicationId, bayName, type Credential } from "../demo/setting.ts";
import type { Device, Known } from "./known.ts";
import type { RunningNetwork } from "./running.ts";
import { startDevices, type VirtualDevices } from "./virtual-devices.ts";
import type { JoinKind, Watch } from "./watch.ts";

export type Counts = {
  joins: number;
  rejoins: number;
  uplinks: number;
  downlinks: number;
};
export type Stage = {
  readonly network: RunningNetwork;
  readonly config: Config;
  readonly devices: readonly Device[];
  readonly gateways: readonly string[];
  readonly credential: Credential;
  readonly known: Known;
  readonly watch: Watch;
  /** Called before the last join and the last messages: all marks have been looked at. */
  readonly beforeTheLast: () => void;
};

const payloadOctets = 24;
/** Between two joins: so that the servers deal with one at a time, and a mark belongs to the join that was asked for last. */
const betweenJoinsMs = 700;
const mostExtraJoins = 20;
const mostExchanges = 4;
const mostRejoins = 16;

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Plays it all, and leaves the network and the devices running: `whole` is called then. */
export async function play(stage: Stage, whole: () => Promise<void>): Promise<Counts> {
  const { network, config, devices, gateways, watch, credential } = stage;
  const [mqttAt, udp] = [network.running["application-server"], network.running["gateway-server"]].map(
    (running, i) => running?.listeners[i === 0 ? "mqtt" : "udp"],
  );
  if (!mqttAt || !udp) throw new UserError("custody/start", "the network does not listen");
  const client = await mqtt.connectAsync(`mqtt://${mqttAt.host}:${mqttAt.port}`, credential);
  const counts: Counts = { joins: 0, rejoins: 0, uplinks: 0, downlinks: 0 };
  const virtual = await startDevices(devices, { server: udp, region: config.network.region, gateways });
  try {
    await client.subscribeAsync(`v3/${applicationId}/devices/+/up`, { qos: 1 });
    client.on("message", () => counts.uplinks++);
    watch.begin([virtual.pid]);
    await joinAll(stage, virtual, counts);
    await exchangeAll(stage, virtual, client, counts);
    await rejoinAll(stage, virtual, counts);
    stage.beforeTheLast();
    const [first] = devices;
    if (first) await virtual.ask({ do: "join", devEui: first.devEui });
    for (let i = 0; i < mostExchanges && (i === 0 || !isEnough(stage, counts)); i++)
      await exchangeAll(stage, virtual, client, counts);
    await watch.end();
    if (!isEnough(stage, counts))
      throw new UserError(
        "custody/traffic",
        `the traffic did not get through (${JSON.stringify(counts)}): nothing can be concluded`,
      );
    await whole();
  } finally {
    await client.endAsync(true);
    await virtual.stop();
  }
  return counts;
}

/** Frames may be lost while all stands still, above all downlinks, whose windows pass: of each kind some must have come through. */
const isEnough = ({ devices }: Stage, { joins, uplinks, downlinks }: Counts): boolean =>
  joins >= devices.length && uplinks >= devices.length && downlinks >= devices.length / 2;

/** Every device joins; then some join again until every mark has been looked at for every kind of join. */
async function joinAll({ devices, watch }: Stage, virtual: VirtualDevices, counts: Counts): Promise<void> {
  const joins = devices.map(async ({ devEui }, i) => {
    await wait(i * betweenJoinsMs);
    if ((await virtual.ask({ do: "join", devEui })).done) counts.joins++;
  });
  await Promise.all(joins);
  for (let extra = 0; extra < mostExtraJoins; extra++) {
    const device = devices.find((one) => watch.missing(kindOf(one)).length > 0);
    if (device === undefined) return;
    await virtual.ask({ do: "join", devEui: device.devEui });
  }
}

export const kindOf = ({ version }: Device): JoinKind => (version === "1.1" ? "1.1 join" : "1.0.x join");

/** Rejoins of all types, and more until every mark has been looked at. */
async function rejoinAll({ devices, watch }: Stage, virtual: VirtualDevices, counts: Counts): Promise<void> {
  const able = devices.filter(({ version }) => version === "1.1");
  for (let i = 0; i < able.length || (i < mostRejoins && watch.missing("rejoin").length > 0); i++) {
    const { devEui } = able[i % able.length] as Device;
    const type = ([1, 0, 2] as const)[i % 3] ?? 0;
    if ((await virtual.ask({ do: "rejoin", devEui, type })).done) counts.rejoins++;
  }
}

/** A downlink for each device, given before its uplink, and the uplink. */
async function exchangeAll(
  { devices, known }: Stage,
  virtual: VirtualDevices,
  client: MqttClient,
  counts: Counts,
): Promise<void> {
  const before = counts.uplinks;
  const exchanges = devices.map(async ({ devEui }, i) => {
    await wait(i * 150);
    const down = randomBytes(payloadOctets).toString("hex");
    known.addPayload(down);
    await sendDownlink(client, bayName(i), down);
    const payload = randomBytes(payloadOctets).toString("hex");
    known.addPayload(payload);
    const { payloads = [] } = await virtual.ask({ do: "send", devEui, payload, confirmed: i % 2 === 0 });
    counts.downlinks += payloads.length;
  });
  await Promise.all(exchanges);
  for (const end = Date.now() + 10_000; counts.uplinks < before + devices.length && Date.now() < end; ) await wait(20);
}

async function sendDownlink(client: MqttClient, deviceId: string, payload: string): Promise<void> {
  const downlinks = [{ f_port: 10, frm_payload: Buffer.from(payload, "hex").toString("base64"), priority: "NORMAL" }];
  const topic = `v3/${applicationId}/devices/${deviceId}/down/push`;
  await client.publishAsync(topic, JSON.stringify({ downlinks }), { qos: 1 });
}
