/** The simulator as a process of its own: it knows the network by its UDP port and nothing else. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import type { Address, MacVersion } from "@trefoil/wire";
import { parse } from "yaml";
import { projectDir } from "../supervisor/node-flags.ts";

const main = `${projectDir}apps/simulator/src/main.ts`;
export const parkingLot = `${projectDir}apps/simulator/scenarios/parking-lot.yaml`;

export type Credentials = {
  readonly devEui: string;
  readonly joinEui: string;
  readonly version: MacVersion;
  readonly appKey: string;
  readonly nwkKey?: string;
};
export type SimulatorEvent = { readonly is: string; readonly [field: string]: unknown };

const node = (args: readonly string[]) =>
  spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
  });

/** The devices of a scenario with fresh root keys. */
export async function scenarioDevices(scenario: string): Promise<readonly Credentials[]> {
  const child = node(["devices", scenario]);
  child.stdin.end();
  return JSON.parse(await text(child.stdout)) as Credentials[];
}

/** EUIs of the scenario's gateways. */
export function scenarioGateways(scenario: string): readonly string[] {
  const { gateways } = parse(readFileSync(scenario, "utf8")) as { gateways: readonly { eui: string }[] };
  return gateways.map(({ eui }) => eui);
}

export type Playing = { stop(): Promise<void> };

/** Plays the scenario against the gateway-server at `server`. Root keys go in by standard input. */
export function play(
  scenario: string,
  credentials: readonly Credentials[],
  server: Address,
  options: { readonly speed?: number },
  onEvent: (event: SimulatorEvent) => void,
): Playing {
  const child = node([
    "run",
    scenario,
    "--server",
    `${server.host}:${server.port}`,
    "--json",
    ...(options.speed === undefined ? [] : ["--speed", String(options.speed)]),
  ]);
  child.stdin.on("error", () => undefined);
  child.stdin.end(JSON.stringify(credentials));
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  createInterface({ input: child.stdout }).on("line", (line) => onEvent(JSON.parse(line) as SimulatorEvent));
  return {
    stop: async () => {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 12_000);
      await exited;
      clearTimeout(timer);
    },
  };
}
