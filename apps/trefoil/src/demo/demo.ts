/**
 * `npm run demo`: a network in a throw-away folder with the parking lot playing. The application side is an ordinary MQTT client, the
 * radio side an ordinary packet forwarder; the demo watches both ends and counts.
 */

import { request } from "node:http";
import type { Address, Role } from "@trefoil/wire";
import mqtt, { type MqttClient } from "mqtt";
import type { LogSink } from "../supervisor/log.ts";
import { type Network, startNetwork } from "../supervisor/network.ts";
import { type Bay, decodeBay } from "./bays.ts";
import { keyOfFrame, keyOfMessage } from "./frame-key.ts";
import { applicationId, bayName, type Credential, furnish, isolatedConfig, throwAwayFolder } from "./setting.ts";
import type { Arrival, Show } from "./show.ts";
import { type Playing, parkingLot, play, type SimulatorEvent, scenarioDevices, scenarioGateways } from "./simulator.ts";
import { type Summary, Tally } from "./tally.ts";

export type DemoOptions = {
  readonly speed?: number;
  readonly log: LogSink;
  readonly onHopeless: (error: Error) => void;
  /** Called with each delivered uplink's running number. */
  readonly onDelivered?: (count: number) => void;
};
export type Demo = {
  readonly mqtt: Credential & { readonly url: string };
  readonly show: () => Show;
  /** Lets what is on its way arrive, stops everything, removes the folder. */
  readonly end: () => Promise<Summary>;
};

type UpMessage = {
  readonly end_device_ids: { readonly device_id: string; readonly dev_addr?: string };
  readonly uplink_message?: { readonly f_cnt?: number; readonly frm_payload?: string };
};

const settleMs = 1_500;

export async function startDemo(options: DemoOptions): Promise<Demo> {
  const { dataDir, remove } = throwAwayFolder();
  const config = isolatedConfig();
  const devices = await scenarioDevices(parkingLot);
  const bays = devices.map((_, i): Bay => ({ deviceId: bayName(i), joined: false, uplinks: 0 }));
  const bayOf = new Map(devices.map(({ devEui }, i) => [devEui, i]));
  const tally = new Tally(devices.length);
  const arrivals: Arrival[] = [];
  const startedAt = Date.now();
  let network: Network | undefined;
  let client: MqttClient | undefined;
  let playing: Playing | undefined;

  const onEvent = (event: SimulatorEvent) => {
    if (event.is === "joined") {
      tally.joined();
      const i = bayOf.get(event.devEui as string);
      if (i !== undefined) bays[i] = { ...(bays[i] as Bay), joined: true };
    } else if (event.is === "uplink" && event.tryNumber === 1) tally.sent();
    else if (event.is === "downlink") tally.downlinkHeard();
    else if (event.is === "received") {
      const key = keyOfFrame((event.reception as { octets: string }).octets);
      if (key) tally.heard(key, Date.now());
    }
  };
  const onMessage = (topic: string, payload: Buffer) => {
    if (!topic.endsWith("/up")) return;
    const { end_device_ids, uplink_message } = JSON.parse(payload.toString("utf8")) as UpMessage;
    tally.delivered(keyOfMessage(end_device_ids.dev_addr ?? "", uplink_message?.f_cnt ?? 0), Date.now());
    const report = decodeBay(Buffer.from(uplink_message?.frm_payload ?? "", "base64"));
    const i = bays.findIndex(({ deviceId }) => deviceId === end_device_ids.device_id);
    if (report && i >= 0) {
      bays[i] = { ...(bays[i] as Bay), joined: true, last: report, uplinks: (bays[i] as Bay).uplinks + 1 };
      const what = report.heartbeat ? "is alive" : report.occupied ? "a car came" : "a car went";
      arrivals.push({
        at: Date.now(),
        deviceId: end_device_ids.device_id,
        text: `${what}, ${report.celsius.toFixed(1)} °C, battery ${Math.round(report.battery * 100)} %`,
      });
      if (arrivals.length > 500) arrivals.splice(0, 250);
    }
    options.onDelivered?.(tally.deliveredCount);
  };

  const stop = async () => {
    await playing?.stop();
    await new Promise((resolve) => setTimeout(resolve, playing ? settleMs : 0));
    if (network) tally.micFailures = await micFailures(network);
    await client?.endAsync(true);
    await network?.stop();
    remove();
  };

  try {
    network = await startNetwork({ config, dataDir, log: options.log, onHopeless: options.onHopeless });
    const credential = await furnish(dataDir, config, scenarioGateways(parkingLot), devices);
    const url = `mqtt://${hostPort(addressOf(network, "application-server", "mqtt"))}`;
    client = await mqtt.connectAsync(url, {
      ...credential,
      clean: false,
      clientId: "trefoil-demo",
      reconnectPeriod: 200,
    });
    client.on("message", onMessage);
    await client.subscribeAsync(`v3/${applicationId}/devices/+/up`, { qos: 1 });
    playing = play(
      parkingLot,
      devices,
      addressOf(network, "gateway-server", "udp"),
      options.speed === undefined ? {} : { speed: options.speed },
      onEvent,
    );
    return {
      mqtt: { ...credential, url },
      show: () => ({
        summary: tally.summary(),
        uplinksPerSecond: recentRate(arrivals),
        bays,
        arrivals,
        seconds: Math.round((Date.now() - startedAt) / 1000),
      }),
      end: async () => {
        await stop();
        return tally.summary();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function addressOf(network: Network, role: Role, listener: string): Address {
  const address = network.running()[role]?.listeners[listener];
  if (!address) throw new Error(`the ${role} does not listen on ${listener}`);
  return address;
}
const hostPort = ({ host, port }: Address) => `${host}:${port}`;

/** Uplinks per second over the last ten seconds. */
function recentRate(arrivals: readonly Arrival[]): number {
  const since = Date.now() - 10_000;
  return arrivals.filter(({ at }) => at > since).length / 10;
}

/** Frames that matched a DevAddr of ours and no session's key: read from the network-server's own metrics. */
function micFailures(network: Network): Promise<number> {
  const { host, port } = addressOf(network, "network-server", "http");
  return new Promise((resolve) => {
    request({ host, port, path: "/metrics" }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => (text += part));
      answer.on("end", () => resolve(sumOf(text)));
    })
      .on("error", () => resolve(0))
      .end();
  });
}

const sumOf = (metrics: string) =>
  metrics
    .split("\n")
    .filter((line) => /^trefoil_\w+\{[^}]*mic/i.test(line))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
