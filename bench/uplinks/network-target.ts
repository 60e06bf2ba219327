/** The whole network as a target: five server processes in a throw-away folder, and an MQTT subscriber behind them. */
import { Key } from "@trefoil/custody";
import type { Role } from "@trefoil/wire";
import { type LoadDevice, loadDevices, loadGateways } from "../../apps/simulator/src/index.ts";
import { call } from "../../apps/trefoil/src/admin/client.ts";
import { createDevices, type NewDevice } from "../../apps/trefoil/src/commands/provision.ts";
import { type Credential, isolatedConfig, throwAwayFolder } from "../../apps/trefoil/src/demo/setting.ts";
import { type Network, startNetwork } from "../../apps/trefoil/src/supervisor/network.ts";
import { Helper } from "./child.ts";
import type { Arrived, SubscriberStart } from "./subscriber.ts";
import type { Target } from "./trial.ts";

export type NetworkOptions = {
  readonly devices: number;
  readonly seed: number;
  readonly gateways: number;
  readonly qos: 0 | 1;
  readonly say: (line: string) => void;
};
export type NetworkTarget = Target & {
  /** Latencies since the last call, and what arrived twice since the start. */
  readonly delivered: () => Promise<Arrived>;
};

const applicationId = "bench";
const perCall = 10_000;

export async function startNetworkTarget({
  devices,
  seed,
  gateways,
  qos,
  say,
}: NetworkOptions): Promise<NetworkTarget> {
  const { dataDir, remove } = throwAwayFolder();
  const config = isolatedConfig();
  const network = await startNetwork({
    config,
    dataDir,
    log: (_, line) => say(line),
    onHopeless: (failure) => say(`bench: ${failure.message}`),
  });
  const subscriber = new Helper("./subscriber.ts");
  const stop = async () => {
    subscriber.stop();
    await network.stop();
    remove();
  };
  try {
    const ask = <T>(role: Role, path: string, body: unknown) => call<T>(dataDir, role, "POST", path, body);
    for (const [i, eui] of loadGateways(gateways, seed).entries())
      await ask("gateway-server", "/gateways", { gatewayId: `load-${i}`, eui });
    const { mqtt } = await ask<{ mqtt: Credential }>("application-server", "/applications", { applicationId });
    const { netId, asId, region } = config.network;
    await provision({ dataDir, netId, asId }, loadDevices(devices, seed), region, devices, say);
    const { host, port } = addressOf(network, "application-server", "mqtt");
    const start: SubscriberStart = {
      url: `mqtt://${host}:${port}`,
      ...mqtt,
      topic: `v3/${applicationId}/devices/+/up`,
      qos,
    };
    await subscriber.ask({ start }, "ready");
    const servers = Object.entries(network.running()).flatMap(([role, running]) =>
      running ? [[role, running.pid] as const] : [],
    );
    return {
      port: addressOf(network, "gateway-server", "udp").port,
      pids: { ...Object.fromEntries(servers), subscriber: subscriber.pid, supervisor: process.pid },
      arrived: async () => (await subscriber.ask<Arrived>({ report: { fresh: false } }, "arrived")).unique,
      delivered: () => subscriber.ask<Arrived>({ report: { fresh: true } }, "arrived"),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Personalised devices go in as any do: their keys sealed to the servers that may have them. */
async function provision(
  realm: Parameters<typeof createDevices>[0],
  all: Iterable<LoadDevice>,
  region: string,
  total: number,
  say: (line: string) => void,
): Promise<void> {
  let done = 0;
  const register = async (batch: readonly NewDevice[]) => {
    const refused = (await createDevices(realm, batch)).find((result) => !result.ok);
    if (refused && !refused.ok) throw new Error(`a device was refused: ${refused.message} (${refused.code})`);
    done += batch.length;
    if (total > perCall) say(`bench: ${done} of ${total} devices registered`);
  };
  // Several batches at a time: while one server works on one, another server has the next.
  const batches = inBatches(all, region);
  const worker = async () => {
    for (const batch of batches) await register(batch);
  };
  await Promise.all([worker(), worker(), worker()]);
}

function* inBatches(all: Iterable<LoadDevice>, region: string): Generator<readonly NewDevice[], void> {
  let batch: NewDevice[] = [];
  for (const device of all) {
    batch.push(asNewDevice(device, region));
    if (batch.length < perCall) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

const asNewDevice = ({ devEui, devAddr, nwkSKey, appSKey }: LoadDevice, region: string): NewDevice => ({
  applicationId,
  deviceId: `load-${devEui}`,
  devEui,
  macVersion: "1.0.4",
  region,
  keys: new Map<"NwkSKey" | "AppSKey", Key>([
    ["NwkSKey", new Key("NwkSKey", nwkSKey)],
    ["AppSKey", new Key("AppSKey", appSKey)],
  ]),
  abp: { devAddr },
});

function addressOf(network: Network, role: Role, listener: string) {
  const address = network.running()[role]?.listeners[listener];
  if (!address) throw new Error(`the ${role} does not listen on ${listener}`);
  return address;
}
