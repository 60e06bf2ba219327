/**
 * Plays joins and traffic with known keys and payloads against a network that runs as its users run it: `trefoil start`, a process
 * of its own, so that the supervisor can be searched like the rest.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Config } from "@trefoil/service";
import mqtt, { type MqttClient } from "mqtt";
import { UserError } from "../commands/output.ts";
import { applicationId, bayName, furnish } from "../demo/setting.ts";
import { type Credentials, play, type SimulatorEvent, scenarioDevices, scenarioGateways } from "../demo/simulator.ts";
import { projectDir } from "../supervisor/node-flags.ts";
import type { Running } from "../supervisor/supervisor.ts";
import { type Join, keks, lifeLongKeys, payload, sessionKeys } from "./known.ts";
import type { Secret } from "./needles.ts";

const scenario = `${projectDir}apps/simulator/scenarios/custody.yaml`;
const patienceMs = 90_000;

export type Played = {
  readonly secrets: readonly Secret[];
  readonly joins: number;
  readonly uplinks: number;
  readonly downlinks: number;
};
export type RunningNetwork = {
  readonly supervisor: number;
  readonly running: Running;
  readonly lines: readonly string[];
  readonly stop: () => Promise<void>;
};

/** Starts `trefoil start` on `dataDir`. Its output is kept: log lines are searched too. */
export function startApart(config: Config, dataDir: string): Promise<RunningNetwork> {
  const file = join(dataDir, "..", "trefoil.yaml");
  writeFileSync(file, JSON.stringify({ ...config, data: dataDir }), { mode: 0o600 });
  const child = spawn(
    process.execPath,
    [`${projectDir}apps/trefoil/src/main.ts`, "start", "--config", file, "--json"],
    { stdio: ["ignore", "pipe", "pipe"], detached: true },
  );
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const lines: string[] = [];
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        if (!line.startsWith('{"running"')) return;
        const { running } = JSON.parse(line) as { running: Running };
        const stop = async () => {
          child.kill("SIGTERM");
          await exited;
        };
        resolve({ supervisor: child.pid as number, running, lines, stop });
      });
    }
    void exited.then(() =>
      reject(new UserError("custody/start", `the network did not start: ${lines.at(-1) ?? "no reason given"}`)),
    );
  });
}

/** Joins every device, hears two uplinks of each, and sends each a downlink. `midway` is called when half of them have joined. */
export async function playTraffic(
  { running }: RunningNetwork,
  config: Config,
  dataDir: string,
  midway: (secrets: readonly Secret[]) => void,
): Promise<Played> {
  const devices = await scenarioDevices(scenario);
  const credential = await furnish(dataDir, config, scenarioGateways(scenario), devices);
  const secrets = [...devices.flatMap(lifeLongKeys), ...keks(dataDir)];
  const counts = { joins: 0, uplinks: 0, downlinks: 0 };
  const devNonces = new Map<unknown, number>();
  const byEui = new Map<unknown, Credentials>(devices.map((device) => [device.devEui, device]));

  const mqttAt = running["application-server"]?.listeners.mqtt;
  const udp = running["gateway-server"]?.listeners.udp;
  if (!mqttAt || !udp) throw new UserError("custody/start", "the network does not listen");
  const client = await mqtt.connectAsync(`mqtt://${mqttAt.host}:${mqttAt.port}`, credential);
  await client.subscribeAsync(`v3/${applicationId}/devices/+/up`, { qos: 1 });
  client.on("message", () => counts.uplinks++);

  const onEvent = (event: SimulatorEvent) => {
    const device = byEui.get(event.devEui);
    if (event.is === "join-request") devNonces.set(event.devEui, event.devNonce as number);
    else if (event.is === "message") secrets.push(payload(event.payload as string));
    else if (event.is === "downlink" && event.data !== undefined) counts.downlinks++;
    else if (event.is === "joined" && device) {
      const { joinNonce, protocol } = event as unknown as Join;
      secrets.push(
        ...sessionKeys(
          device,
          { joinNonce, protocol, devNonce: devNonces.get(device.devEui) as number },
          config.network.netId,
        ),
      );
      secrets.push(sendDownlink(client, bayName(devices.indexOf(device))));
      counts.joins++;
      if (counts.joins === Math.ceil(devices.length / 2)) midway([...secrets]);
    }
  };
  const playing = play(scenario, devices, udp, {}, onEvent);
  const enough = () =>
    counts.joins >= devices.length && counts.uplinks >= 2 * devices.length && counts.downlinks >= devices.length;
  for (const end = Date.now() + patienceMs; !enough() && Date.now() < end; )
    await new Promise((resolve) => setTimeout(resolve, 100));
  await playing.stop();
  await client.endAsync(true);
  if (!enough())
    throw new UserError(
      "custody/traffic",
      `the traffic did not get through (${JSON.stringify(counts)}): nothing can be concluded`,
    );
  return { secrets, ...counts };
}

/** Random octets for the device; a message of its own for the payload that is searched. */
function sendDownlink(client: MqttClient, deviceId: string): Secret {
  const octets = randomBytes(24);
  const downlinks = [{ f_port: 10, frm_payload: octets.toString("base64"), priority: "NORMAL" }];
  client.publish(`v3/${applicationId}/devices/${deviceId}/down/push`, JSON.stringify({ downlinks }), { qos: 1 });
  return payload(octets.toString("hex"));
}
