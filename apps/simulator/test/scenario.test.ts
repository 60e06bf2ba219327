import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import {
  credentialsFromJson,
  credentialsToJson,
  decodeBay,
  encodeBay,
  parseScenario,
  readMemories,
  ScenarioError,
  scenarioDevices,
  writeMemories,
} from "../src/index.ts";
import { seededRandom } from "../src/random.ts";
import { type BayEvent, bayEvents } from "../src/scenario/parking-bay.ts";
import { StubNetwork, serveUdp } from "./stub-network.ts";

const path = fileURLToPath(new URL("../scenarios/parking-lot.yaml", import.meta.url));
const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const yaml = readFileSync(path, "utf8");
const scenario = parseScenario(yaml);
const folder = mkdtempSync(join(tmpdir(), "simulator-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("a scenario file", () => {
  test("the parking lot has 40 bays of three versions and two gateways", () => {
    expect(scenario.devices.count).toBe(40);
    expect(scenario.gateways).toHaveLength(2);
    const versions = scenarioDevices(scenario, 1).map(({ version }) => version);
    for (const [version, wanted] of Object.entries(scenario.devices.versions))
      expect(versions.filter((one) => one === version)).toHaveLength(wanted);
    // Mixed over the lot: the first row has all three.
    expect(new Set(versions.slice(0, 10)).size).toBe(3);
  });
  test.each([
    ["startHour: 7.5", "startHour: noon", "scenario.startHour: expected a number"],
    ["fPort: 1", "fPort: 224", "scenario.devices.fPort: expected a number from 1 to 223"],
    ["count: 40", "count: 41", "scenario.devices.versions: expected numbers that add up to count (41)"],
    ["region: EU868", "region: MARS", "scenario.region: expected EU868 or US915"],
    ["name: parking-lot", "name: parking-lot\ncolour: red", "scenario.colour: expected one of"],
    ['"0016c001f1500001"', '"16c001f1500001"', "scenario.gateways[0].eui: expected 16 hexadecimal digits"],
    ["0.05]", "0.05, 1]", "scenario.traffic.arrivalsPerHour: expected a list of 24"],
    ["name: parking-lot", "name: [", "not YAML"],
  ])("with %j as %j is refused: %s", (was, becomes, message) => {
    expect(yaml).toContain(was);
    expect(() => parseScenario(yaml.replace(was, becomes))).toThrow(ScenarioError);
    expect(() => parseScenario(yaml.replace(was, becomes))).toThrow(message);
  });
});

describe("credentials", () => {
  const text = (seed?: string) => credentialsToJson(scenarioDevices(scenario, seed));
  test("are repeatable with a seed, and random without", () => {
    expect(text("a")).toBe(text("a"));
    expect(text("a")).not.toBe(text("b"));
    expect(text()).not.toBe(text());
  });
  test("no two keys are alike, and only 1.1 devices have a NwkKey", () => {
    const rows: { version: string; appKey: string; nwkKey?: string }[] = JSON.parse(text("a"));
    const keys = rows.flatMap(({ appKey, nwkKey }) => [appKey, ...(nwkKey === undefined ? [] : [nwkKey])]);
    expect(new Set(keys).size).toBe(48);
    expect(rows.every(({ version, nwkKey }) => (version === "1.1") === (nwkKey !== undefined))).toBe(true);
  });
  test("come back from JSON as they were", () => {
    expect(credentialsFromJson(text("a"))).toEqual(scenarioDevices(scenario, "a"));
  });
  test.each([
    "",
    "{}",
    "[1]",
    '[{"devEui":"70b3d57ed0060000"}]',
    text("a").replace(/"nwkKey":"[0-9a-f]*/, '"nwkKey":"deadbeef'),
  ])("%s is refused without repeating it", (json) => {
    const attempt = () => credentialsFromJson(json);
    expect(attempt).toThrow(ScenarioError);
    expect(attempt).toThrow(/^(?!.*deadbeef)device credentials/);
  });
});

describe("a parking bay", () => {
  const days = (seed: string, count: number): BayEvent[] => {
    const events: BayEvent[] = [];
    for (const event of bayEvents(scenario, seededRandom(seed))) {
      if (event.atHours > 24 * count) return events;
      events.push(event);
    }
    return events;
  };
  test("alternates arrivals and departures in rising time, with one heartbeat a day", () => {
    const events = days("bay", 10);
    expect(events.map(({ atHours }) => atHours)).toEqual(events.map(({ atHours }) => atHours).sort((a, b) => a - b));
    const changes = events.filter(({ reason }) => reason !== "heartbeat").map(({ reason }) => reason);
    expect(changes.every((reason, i) => i === 0 || reason !== changes[i - 1])).toBe(true);
    expect(events.filter(({ reason }) => reason === "heartbeat")).toHaveLength(10);
    expect(days("bay", 10)).toEqual(events);
    expect(days("other", 10)).not.toEqual(events);
  });
  test("fills in the morning: more cars come from 7 to 10 than from 0 to 6", () => {
    const arrivals = Array.from({ length: 40 }, (_, i) => days(`bay${i}`, 5))
      .flat()
      .filter(({ reason }) => reason === "arrival");
    const hourOf = ({ atHours }: BayEvent) => (scenario.startHour + atHours) % 24;
    const between = (from: number, to: number) =>
      arrivals.filter((event) => hourOf(event) >= from && hourOf(event) < to).length;
    expect(between(7, 10)).toBeGreaterThan(5 * between(0, 6));
  });
  test("says so in four octets that read back", () => {
    const payload = encodeBay({ atHours: 0, reason: "heartbeat", occupied: true }, 200, -3.4);
    expect(payload).toEqual(Uint8Array.of(3, 200, 0xff, 0xde));
    expect(decodeBay(payload)).toEqual({ occupied: true, heartbeat: true, battery: 200, celsius: -3.4 });
    expect(decodeBay(payload.subarray(1))).toBeUndefined();
  });
});

describe("the command line", () => {
  const small = join(folder, "small.yaml");
  writeFileSync(
    small,
    yaml
      .replace("count: 40", "count: 2")
      .replace(/versions: .*/, 'versions: { "1.0.4": 1, "1.1": 1 }')
      .replace("switchOnSeconds: 10", "switchOnSeconds: 1"),
  );

  test("plays with credentials from standard input, and ends on SIGINT with counts", async () => {
    const { stdout: credentials } = spawnSync(process.execPath, [main, "devices", small, "--seed", "5"], {
      encoding: "utf8",
    });
    const network = new StubNetwork(credentialsFromJson(credentials));
    const memory = join(folder, "memory.json");
    writeMemories(memory, new Map([["70b3d57ed0060000", { devNonce: 70, joinNonce: 9 }]]));
    const server = await serveUdp(network);
    const child = spawn(process.execPath, [
      main,
      "run",
      small,
      "--server",
      `127.0.0.1:${server.port}`,
      "--speed",
      "5000",
      "--json",
      "--memory",
      memory,
    ]);
    child.stdin.end(credentials);
    const lines: { is: string; joins?: number; joinRequests?: number }[] = [];
    const exit = new Promise<number | null>((resolve) => child.on("exit", resolve));
    for await (const line of createInterface({ input: child.stdout })) {
      for (const { appKey } of JSON.parse(credentials)) expect(line).not.toContain(appKey);
      lines.push(JSON.parse(line));
      if (lines.at(-1)?.is === "joined") child.kill("SIGINT");
    }
    expect(await exit).toBe(0);
    await server.close();
    const summary = lines.at(-1);
    // The device went on where it had been, and what it used was written down.
    expect(
      network.joins.filter(({ devEui }) => devEui === "70b3d57ed0060000").map(({ devNonce }) => devNonce)[0] ?? 70,
    ).toBe(70);
    const used = network.joins.filter(({ devEui }) => devEui === "70b3d57ed0060000").length;
    expect(readMemories(memory).get("70b3d57ed0060000")?.devNonce).toBeGreaterThanOrEqual(70 + used);
    expect(summary?.is).toBe("summary");
    expect(summary?.joins).toBe(lines.filter(({ is }) => is === "joined").length);
    expect(summary?.joinRequests).toBe(lines.filter(({ is }) => is === "join-request").length);
  }, 90_000);

  test("a memory file that is not there is empty, and one that is damaged is refused", () => {
    expect(readMemories(join(folder, "nothing.json")).size).toBe(0);
    for (const text of ["", "null", '{"70b3d57ed0060000":{"devNonce":"x"}}']) {
      writeFileSync(join(folder, "damaged.json"), text);
      expect(() => readMemories(join(folder, "damaged.json"))).toThrow(ScenarioError);
    }
  });

  test("refuses a credentials file that others may read, an unknown scenario and a wrong server in one sentence", () => {
    const open = join(folder, "credentials.json");
    writeFileSync(open, "[]");
    chmodSync(open, 0o644);
    const run = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: "utf8", input: "[]" });
    for (const [args, message] of [
      [["run", small, "--server", "127.0.0.1:9", "--devices", open], "must be 0600"],
      [["run", join(folder, "none.yaml"), "--server", "127.0.0.1:9"], "ENOENT"],
      [["run", small, "--server", "nowhere"], "--server: expected HOST:PORT"],
      [["run", small, "--server", "127.0.0.1:9"], "2 devices, but credentials for 0"],
      [["fly"], "usage"],
    ] as const) {
      const { status, stderr } = run(...args);
      expect(status).toBe(1);
      expect(stderr).toContain(message);
      expect(stderr).not.toContain("    at ");
    }
  }, 60_000);
});
