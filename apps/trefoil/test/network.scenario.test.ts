/** The whole network as its users start and stop it. */
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import mqtt from "mqtt";
import { afterEach, expect, test } from "vitest";
import { isolatedConfig, throwAwayFolder } from "../src/demo/setting.ts";
import { projectDir } from "../src/supervisor/node-flags.ts";
import {
  createApplication,
  createGateway,
  makeAbpDevice,
  nextUplink,
  openGateway,
  register,
  startTestNetwork,
  type TestNetwork,
  until,
} from "./kit.ts";

const main = `${projectDir}apps/trefoil/src/main.ts`;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function network(options: Parameters<typeof startTestNetwork>[0] = {}): Promise<TestNetwork> {
  const net = await startTestNetwork(options);
  closers.push(() => net.close());
  return net;
}

function trefoil(args: readonly string[], input = "") {
  const child = spawn(process.execPath, [main, ...args], { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.end(input);
  return child;
}

async function run(args: readonly string[], input = ""): Promise<{ code: number; out: string; err: string }> {
  const child = trefoil(args, input);
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { code, out, err };
}

test("the demo ends by itself after 50 delivered uplinks, with every count and no loss", {
  timeout: 180_000,
}, async () => {
  const { code, out, err } = await run(["demo", "--uplinks", "50", "--json"]);
  expect(err).toBe("");
  const summary = JSON.parse(out);
  expect(summary).toMatchObject({ devices: 40, lost: 0, duplicates: 0, micFailures: 0 });
  expect(summary.delivered).toBeGreaterThanOrEqual(50);
  expect(summary.joins).toBeGreaterThan(10);
  expect(summary.latencyMs.p99).toBeGreaterThan(0);
  expect(code).toBe(0);
});

test("a device, its session and its counter are there again after a restart; a replay is not taken", async () => {
  const net = await network();
  const credential = await createApplication(net, "garden");
  await createGateway(net, "roof", "0016c001f1500009");
  const device = makeAbpDevice(1);
  await register(net, "garden", [device]);
  const got: string[] = [];
  const subscribe = async () => {
    const { host, port } = net.address("application-server", "mqtt");
    const client = await mqtt.connectAsync(`mqtt://${host}:${port}`, { ...credential, reconnectPeriod: 0 });
    client.on("message", (_topic, payload) =>
      got.push(Buffer.from(JSON.parse(payload.toString()).uplink_message.frm_payload, "base64").toString()),
    );
    await client.subscribeAsync("v3/garden/devices/+/up", { qos: 1 });
    closers.push(() => client.endAsync(true));
  };
  await subscribe();
  let gateway = await openGateway(net.address("gateway-server", "udp"), "0016c001f1500009");
  closers.push(() => gateway.close());
  const first = nextUplink(device, Buffer.from("one"));
  gateway.push([first]);
  await until("the first uplink arrives", () => got.includes("one"));

  await net.restart();
  await subscribe();
  gateway = await openGateway(net.address("gateway-server", "udp"), "0016c001f1500009");
  gateway.push([first]);
  gateway.push([nextUplink(device, Buffer.from("two"))]);
  await until("the second uplink arrives", () => got.includes("two"));
  expect(got).toEqual(["one", "two"]);
});

test("Ctrl-C ends a started network cleanly, and a second network on the same folder is refused", async () => {
  const { dataDir, remove } = throwAwayFolder();
  closers.push(remove);
  const config = join(dataDir, "..", "trefoil.yaml");
  writeFileSync(config, JSON.stringify({ ...isolatedConfig(), data: dataDir }));
  const child = trefoil(["start", "--config", config, "--json"]);
  closers.push(() => child.kill("SIGKILL"));
  let out = "";
  child.stdout.on("data", (part) => {
    out += part;
  });
  await until("it runs", () => out.includes('"running"'), 60_000);
  const second = await run(["start", "--config", config, "--json"]);
  expect(second.code).toBe(1);
  expect(JSON.parse(second.err)).toMatchObject({ error: { code: "data/in-use" } });
  const { running } = JSON.parse(out.split("\n").find((line) => line.includes('"running"')) as string);
  child.kill("SIGINT");
  const [code] = await once(child, "exit");
  expect(code).toBe(0);
  for (const { pid } of Object.values(running) as { pid: number }[]) expect(() => process.kill(pid, 0)).toThrow();
  expect(readdirSync(dataDir)).not.toContain("runtime.json");
});

test("a port in use is one clear sentence, and nothing is left running", async () => {
  const taken = createSocket("udp4");
  taken.bind(0, "127.0.0.1");
  await once(taken, "listening");
  closers.push(() => taken.close());
  const { port } = taken.address();
  const config = isolatedConfig();
  const busy = { ...config, gatewayServer: { ...config.gatewayServer, udp: { host: "127.0.0.1", port } } };
  await expect(startTestNetwork({ config: busy })).rejects.toMatchObject({
    code: "listen/in-use",
    message: expect.stringContaining(`${port}`),
  });
});

test("a data folder of another version, or of somebody else, is refused and left as it was", async () => {
  for (const [file, contents, code] of [
    ["VERSION", '{"format":99}', "data/other-version"],
    ["VERSION", '{"format":1}', "data/other-version"],
    ["VERSION", "garbage", "data/other-version"],
    ["VERSION", '{"format":2,"deployment":"join-server"}', "data/other-deployment"],
    ["holiday.jpg", "x", "data/foreign"],
  ] as const) {
    const { dataDir, remove } = throwAwayFolder();
    closers.push(remove);
    rmSync(dataDir, { recursive: true, force: true });
    const { mkdirSync } = await import("node:fs");
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, file), contents);
    const { code: exit, err } = await run(["start", "--data", dataDir, "--json"]);
    expect(exit).toBe(1);
    expect(JSON.parse(err).error.code).toBe(code);
    expect(readdirSync(dataDir)).toEqual([file]);
    expect(readFileSync(join(dataDir, file), "utf8")).toBe(contents);
  }
});

test("a killed server is started again on its own ports, and traffic goes on", async () => {
  const net = await network();
  const credential = await createApplication(net, "garden");
  await createGateway(net, "roof", "0016c001f1500009");
  const device = makeAbpDevice(2);
  await register(net, "garden", [device]);
  const { host, port } = net.address("application-server", "mqtt");
  const client = mqtt.connect(`mqtt://${host}:${port}`, {
    ...credential,
    clientId: "steady",
    clean: false,
    reconnectPeriod: 50,
  });
  client.on("error", () => undefined);
  closers.push(() => client.endAsync(true));
  const got: string[] = [];
  client.on("message", (_topic, payload) =>
    got.push(Buffer.from(JSON.parse(payload.toString()).uplink_message.frm_payload, "base64").toString()),
  );
  await client.subscribeAsync("v3/garden/devices/+/up", { qos: 1 });
  const udp = net.address("gateway-server", "udp");
  const gateway = await openGateway(udp, "0016c001f1500009");
  closers.push(() => gateway.close());
  for (const role of ["gateway-server", "network-server", "application-server", "join-server", "vault"] as const) {
    const before = net.pid(role);
    process.kill(before, "SIGKILL");
    await until(`the ${role} runs again`, () => (net.network.running()[role]?.pid ?? before) !== before);
    expect(net.address("gateway-server", "udp")).toEqual(udp);
    // Semtech UDP has no repetition of its own: what comes while the gateway-server is away is lost, so the device says it again.
    const saying = setInterval(() => gateway.push([nextUplink(device, Buffer.from(role))]), 300);
    await until(`an uplink arrives after the end of the ${role}`, () => got.includes(role)).finally(() =>
      clearInterval(saying),
    );
  }
});
