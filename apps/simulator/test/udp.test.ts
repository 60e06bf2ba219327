import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseScenario, type RunEvent, runScenario, scenarioDevices } from "../src/index.ts";
import { StubNetwork, serveUdp } from "./stub-network.ts";

const scenario = parseScenario(readFileSync(new URL("../scenarios/parking-lot.yaml", import.meta.url), "utf8"));
const three = {
  ...scenario,
  speed: 20_000,
  devices: {
    ...scenario.devices,
    count: 3,
    versions: { "1.0.3": 1, "1.0.4": 1, "1.1": 1 },
    switchOnSeconds: 2,
    confirmedShare: 1,
  },
};

test("over real UDP sockets and two gateways, devices of 1.0.3, 1.0.4 and 1.1 join and have confirmed uplinks acknowledged (TS001 §3.3, §4.3.1.2, §6.2)", async () => {
  const devices = scenarioDevices(three, 7);
  const network = new StubNetwork(devices);
  const server = await serveUdp(network);
  const acknowledged = new Set<string>();
  const messages: string[] = [];
  const everyone = Promise.withResolvers<void>();
  const onEvent = (event: RunEvent) => {
    if (event.is === "message") messages.push(Buffer.from(event.payload).toString("hex"));
    if (event.is !== "acknowledged") return;
    acknowledged.add(event.devEui);
    if (acknowledged.size === 3) everyone.resolve();
  };
  const run = await runScenario({
    scenario: three,
    server: { host: "127.0.0.1", port: server.port },
    devices,
    seed: 3,
    onEvent,
  });
  await everyone.promise;
  const counts = await run.stop();
  await server.close();

  expect(counts.joins).toBe(3);
  expect(counts.confirmedAcknowledged).toBeGreaterThanOrEqual(3);
  expect(counts.refused).toBe(0);
  expect(network.refused).toEqual([]);
  for (const { payload } of network.uplinks) expect(messages).toContain(payload);
  for (const gateway of run.gateways) {
    expect(gateway.connected).toBe(true);
    expect(gateway.counts.received).toBeGreaterThanOrEqual(6);
  }
}, 60_000);

test("a downlink that leaves the gateway 1 ms late is heard by nobody (TS001 §3.3.1)", async () => {
  const devices = scenarioDevices(three, 8).slice(0, 1);
  const network = new StubNetwork(devices);
  const server = await serveUdp(network, { downlinkOffsetUs: 1_000 });
  const one = { ...three, devices: { ...three.devices, count: 1, switchOnSeconds: 0 } };
  const retried = Promise.withResolvers<void>();
  const onEvent = (event: RunEvent) => event.is === "join-request" && event.tryNumber === 2 && retried.resolve();
  const run = await runScenario({
    scenario: one,
    server: { host: "127.0.0.1", port: server.port },
    devices,
    seed: 4,
    onEvent,
  });
  await retried.promise;
  const counts = await run.stop(0);
  await server.close();
  expect(network.joins.length).toBeGreaterThanOrEqual(1);
  expect(run.gateways.reduce((sum, gateway) => sum + gateway.counts.sent, 0)).toBeGreaterThanOrEqual(1);
  expect(counts.joins).toBe(0);
}, 60_000);
