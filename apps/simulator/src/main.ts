/**
 * The simulator's command line.
 *
 *   main.ts devices SCENARIO [--seed N]                          prints the devices and their root keys once, as JSON
 *   main.ts run SCENARIO --server HOST:PORT [--devices FILE] …   plays it; credentials from FILE (mode 0600) or standard input;
 *                                                                nonces that devices must not forget are kept in --memory FILE
 */
import { readFileSync, statSync } from "node:fs";
import { parseArgs } from "node:util";
import { toHex } from "./octets.ts";
import { credentialsFromJson, credentialsToJson, scenarioDevices } from "./scenario/credentials.ts";
import { readMemories, writeMemories } from "./scenario/memory-file.ts";
import { gatewayTotals, type RunEvent, runScenario } from "./scenario/run.ts";
import { parseScenario, type Scenario, ScenarioError } from "./scenario/scenario.ts";

const usage = `usage:
  main.ts devices SCENARIO [--seed N]
  main.ts run SCENARIO --server HOST:PORT [--devices FILE] [--seed N] [--speed X] [--uplinks N] [--memory FILE] [--json]`;

function readScenario(path: string | undefined): Scenario {
  if (path === undefined) throw new ScenarioError(usage);
  return parseScenario(readFileSync(path, "utf8"));
}

async function readCredentials(path: string | undefined): Promise<string> {
  if (path === undefined) {
    let text = "";
    for await (const part of process.stdin.setEncoding("utf8")) text += part;
    return text;
  }
  if ((statSync(path).mode & 0o077) !== 0) throw new ScenarioError(`${path} holds keys: its mode must be 0600`);
  return readFileSync(path, "utf8");
}

function parseServer(text: string | undefined): { host: string; port: number } {
  const match = /^(.+):(\d{1,5})$/.exec(text ?? "");
  if (match === null) throw new ScenarioError(`--server: expected HOST:PORT\n${usage}`);
  return { host: match[1] as string, port: Number(match[2]) };
}

function positive(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!(number > 0)) throw new ScenarioError(`--${name}: expected a number above 0`);
  return number;
}

/** One line per event; octets in hexadecimal. */
const toLine = (event: object): string =>
  JSON.stringify(event, (_, value) => (value instanceof Uint8Array ? toHex(value) : value));

const seconds = (event: RunEvent) => ("at" in event ? `${(event.at / 1e6).toFixed(3).padStart(9)} ` : " ".repeat(10));
const asText = (event: RunEvent): string => {
  const { is } = event;
  const who = "devEui" in event ? event.devEui : event.gateway;
  return `${seconds(event)}${who} ${is} ${toLine({ ...event, is: undefined, at: undefined, devEui: undefined, gateway: undefined })}`;
};

async function run(path: string | undefined, options: Record<string, string | boolean | undefined>): Promise<void> {
  const scenario = readScenario(path);
  const server = parseServer(options.server as string | undefined);
  const devices = credentialsFromJson(await readCredentials(options.devices as string | undefined));
  const print = (line: string) => process.stdout.write(`${line}\n`);
  const json = options.json === true;
  const uplinks = positive("uplinks", options.uplinks as string | undefined);
  const speed = positive("speed", options.speed as string | undefined);
  const memoryFile = options.memory as string | undefined;
  const memories = memoryFile === undefined ? new Map() : readMemories(memoryFile);
  const onEvent = (event: RunEvent): void => {
    if (memoryFile !== undefined && (event.is === "join-request" || event.is === "joined"))
      writeMemories(memoryFile, memories);
    print(json ? toLine(event) : asText(event));
  };
  const playing = await runScenario({
    scenario,
    server,
    devices,
    memories,
    onEvent,
    ...(options.seed === undefined ? {} : { seed: options.seed as string }),
    ...(uplinks === undefined ? {} : { uplinks }),
    ...(speed === undefined ? {} : { speed }),
  });
  // Long enough for class A windows; whoever is joining is cut off.
  const interruptGraceMs = 2_500;
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void playing.stop(interruptGraceMs));
  const counts = await playing.done;
  const stalledMs = Math.round(playing.clock.stalledUs / 1000);
  print(toLine({ is: "summary", ...counts, stalledMs, gateways: gatewayTotals(playing.gateways) }));
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      server: { type: "string" },
      devices: { type: "string" },
      seed: { type: "string" },
      speed: { type: "string" },
      uplinks: { type: "string" },
      memory: { type: "string" },
      json: { type: "boolean" },
    },
  });
  const [command, path] = positionals;
  if (command === "devices")
    process.stdout.write(`${credentialsToJson(scenarioDevices(readScenario(path), values.seed))}\n`);
  else if (command === "run") await run(path, values);
  else throw new ScenarioError(usage);
}

try {
  await main();
} catch (error) {
  const isExpected = error instanceof ScenarioError || (error instanceof Error && "code" in error);
  process.stderr.write(`${isExpected ? (error as Error).message : (error as Error).stack}\n`);
  process.exitCode = 1;
}
