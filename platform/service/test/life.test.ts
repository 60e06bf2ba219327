/** A server's whole life as a process of its own, with the real messages. */
import { createSocket } from "node:dgram";
import { statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { openStore } from "@trefoil/store";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ask, type Mini, makeMini } from "./mini-server.ts";

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });
let mini: Mini;
beforeEach(async () => {
  mini = await makeMini();
});
afterEach(() => mini.remove());

const socketOf = (role: "gateway-server" | "network-server" = "gateway-server") =>
  join(mini.network.dataDir(role), "admin.sock");
const failureOf = (child: ReturnType<Mini["start"]>) => child.failure;

test("it starts, tells its listeners, answers health, metrics and administration, and stops with exit code 0", async () => {
  const child = mini.start(
    "gateway-server",
    `start(ctx) {
      ctx.fact("gateways", () => 3);
      ctx.readiness("link", () => ready ? undefined : "no link to the network-server");
      ctx.admin.post("/ready", async ({ body }) => { ready = body.ready; return {}; });
    } }); let ready = false; ({`,
  );
  const port = (await child.ready).http?.port as number;
  expect(await ask({ port, path: "/healthz" })).toEqual({ status: 200, body: "ok\n" });
  expect(await ask({ port, path: "/readyz" })).toEqual({ status: 503, body: "link: no link to the network-server\n" });
  await ask({ socketPath: socketOf(), path: "/ready", body: '{"ready":true}' });
  expect(await ask({ port, path: "/readyz" })).toEqual({ status: 200, body: "ready\n" });
  expect((await ask({ port, path: "/metrics" })).body).toMatch(/^process_cpu_seconds_total \d/m);
  expect((await ask({ port, path: "/" })).status).toBe(404);
  expect((await ask({ port, path: "/healthz", body: "" })).status).toBe(405);
  expect(statSync(socketOf()).mode & 0o777).toBe(0o600);
  const status = JSON.parse((await ask({ socketPath: socketOf(), path: "/status" })).body);
  expect(status).toMatchObject({ role: "gateway-server", version: expect.any(String), facts: { gateways: 3 } });
  expect(await child.stop()).toEqual({ code: 0, signal: null });
  expect(() => statSync(socketOf())).toThrow(/ENOENT/);
});

test("administration refuses with { error: { code, message } } and a 4xx status", async () => {
  const child = mini.start(
    "gateway-server",
    `adminBodyLimit: 1000, start({ admin }) {
      admin.post("/echo", async ({ body }) => ({ got: body }));
      admin.post("/typed", { schema: { body: { type: "object", required: ["eui"], properties: { eui: { type: "string", pattern: "^[0-9a-f]{16}$" } } } } }, async () => ({}));
      admin.get("/exists", async () => { throw new AdminRefusal("gateway/exists", "there is such a gateway", 409); });
      admin.get("/full", async () => { throw new Fault("store/full", "the disk is full"); });
      admin.get("/bug", async () => { throw new Error("secret 00112233"); });
    }`,
  );
  await child.ready;
  const socketPath = socketOf();
  const post = async (path: string, body: string, type?: string) => {
    const { status, body: text } = await ask({ socketPath, path, body, ...(type === undefined ? {} : { type }) });
    return [status, JSON.parse(text)] as const;
  };
  const error = (status: number, code: string, message: unknown = expect.any(String)) => [
    status,
    { error: { code, message } },
  ];
  expect(await post("/echo", '{"a":1}\n\n{"b":2}\n', "application/x-ndjson")).toEqual([
    200,
    { got: [{ a: 1 }, { b: 2 }] },
  ]);
  expect(await post("/echo", '{"a":1}\n{"b"}\n', "application/x-ndjson")).toEqual(
    error(400, "admin/malformed", "line 2 is not JSON"),
  );
  expect(await post("/echo", "{")).toEqual(error(400, "admin/malformed"));
  expect(await post("/echo", "hello", "text/plain")).toEqual(error(415, "admin/not-json"));
  expect(await post("/echo", `"${"x".repeat(2000)}"`)).toEqual(error(413, "admin/too-large"));
  expect(await post("/typed", '{"eui":"00112233"}')).toEqual(
    error(400, "admin/invalid-body", 'body/eui must match pattern "^[0-9a-f]{16}$"'),
  );
  const get = async (path: string) => {
    const { status, body } = await ask({ socketPath, path });
    return [status, JSON.parse(body)] as const;
  };
  expect(await get("/nowhere?key=1")).toEqual(error(404, "admin/no-such-call", "there is no GET /nowhere"));
  expect(await get("/exists")).toEqual(error(409, "gateway/exists", "there is such a gateway"));
  expect(await get("/full")).toEqual(error(503, "store/full", "the disk is full"));
  expect(await get("/bug")).toEqual(error(500, "admin/failed"));
  await child.stop();
  expect(child.output()).toContain("an administration call failed");
  expect(child.output()).not.toContain("00112233");
});

test("a port in use is one clear sentence that names the setting, and is not tried again", async () => {
  const udp = createSocket("udp4");
  await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
  const { port } = udp.address();
  const inUse = mini.start(
    "gateway-server",
    `async start({ config }) { await new Promise((resolve, reject) => createSocket("udp4").on("error", reject).bind(config.udp.port, config.udp.host, resolve)); }`,
    { config: { udp: { host: "127.0.0.1", port } } },
  );
  expect(await failureOf(inUse)).toEqual({
    code: "listen/in-use",
    retry: "never",
    message: `UDP port ${port} is already in use: stop the program that uses it, or set gatewayServer.udp.port`,
  });
  expect((await inUse.exited).code).toBe(1);
  udp.close();

  const tcp = createServer();
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
  const taken = (tcp.address() as { port: number }).port;
  const http = mini.start("network-server", "start() {}", { config: { http: { host: "127.0.0.1", port: taken } } });
  expect(await failureOf(http)).toMatchObject({
    code: "listen/in-use",
    message: `TCP port ${taken} is already in use: stop the program that uses it, or set networkServer.http.port`,
  });
  tcp.close();
});

test("what a start throws is told: a Fault as it is, anything else without its message", async () => {
  const fault = mini.start(
    "gateway-server",
    `start() { throw new Fault("gateway/x", "clear sentence", { retry: "never" }); }`,
  );
  expect(await failureOf(fault)).toEqual({ code: "gateway/x", message: "clear sentence", retry: "never" });
  const foreign = mini.start("gateway-server", `start() { throw new TypeError("secret 00112233"); }`);
  expect(await failureOf(foreign)).toEqual({
    code: "start/failed",
    message: "the gateway-server could not start (TypeError)",
    retry: "later",
  });
  expect(foreign.output()).not.toContain("00112233");
  expect(foreign.output()).toContain("main-1.mts");
});

test("a configuration that is not the role's, another role, and a store from a newer version are refused", async () => {
  const wrong = mini.start("gateway-server", "start() {}", { config: { udp: 5 } });
  expect(await failureOf(wrong)).toEqual({
    code: "config/invalid",
    message: "udp: expected a section with keys, found 5",
    retry: "never",
  });
  const other = mini.start("gateway-server", "start() {}", { boot: { role: "network-server" } });
  expect(await failureOf(other)).toMatchObject({ code: "start/role", retry: "never" });
  const file = join(mini.network.dataDir("gateway-server"), "store.sqlite");
  await (
    await openStore({
      file,
      role: "gateway-server",
      migrations: ["CREATE TABLE a (x)", "CREATE TABLE b (x)"],
      statements: {},
    })
  ).close();
  const newer = mini.start(
    "gateway-server",
    `store: { migrations: ["CREATE TABLE a (x)"], statements: {} }, start() {}`,
  );
  expect(await failureOf(newer)).toMatchObject({ code: "store/newer", retry: "never" });
});

test("an uncaught error is logged with its place and without its message, and ends the process with exit code 1", async () => {
  for (const how of [
    `throw new RangeError("secret 00112233")`,
    `void Promise.reject(new RangeError("secret 00112233"))`,
    `ctx.fail(new RangeError("secret 00112233"))`,
  ]) {
    const child = mini.start("gateway-server", `start(ctx) { setTimeout(() => { ${how}; }, 1); }`);
    expect((await child.exited).code).toBe(1);
    const line = child
      .output()
      .split("\n")
      .map((text) => (text === "" ? {} : JSON.parse(text)))
      .find(({ level }) => level === "fatal");
    expect(line).toMatchObject({
      role: "gateway-server",
      err: { type: "RangeError", at: expect.arrayContaining([expect.stringContaining("main-")]) },
    });
    expect(child.output()).not.toContain("00112233");
  }
});

test("stop, SIGTERM and the loss of the supervisor end it with exit code 0, in reverse order of what was opened", async () => {
  const body = (
    file: string,
  ) => `start(ctx) { const log = []; const note = (name) => { log.push(name); writeFileSync(${JSON.stringify(file)}, log.join()); };
    ctx.onStop(() => note("first")); ctx.onStop(async () => { await new Promise((r) => setTimeout(r, 5)); note("second"); }); }`;
  const { readFileSync } = await import("node:fs");
  for (const how of ["stop", "SIGTERM", "disconnect"] as const) {
    const file = join(mini.network.dir, how);
    const child = mini.start("gateway-server", body(file));
    await child.ready;
    if (how === "stop") void child.stop();
    else if (how === "SIGTERM") child.process.kill("SIGTERM");
    else child.process.disconnect();
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(readFileSync(file, "utf8")).toBe("second,first");
  }
});

test("after kill -9 it starts again over the socket that was left behind", async () => {
  const first = mini.start("gateway-server", "start() {}");
  await first.ready;
  await first.kill();
  expect(statSync(socketOf()).isSocket()).toBe(true);
  const second = mini.start("gateway-server", "start() {}");
  await second.ready;
  expect((await ask({ socketPath: socketOf(), path: "/status" })).status).toBe(200);
});

test("without a supervisor it says how it is started", async () => {
  const { spawnSync } = await import("node:child_process");
  const main = join(mini.network.dir, "alone.mts");
  writeFileSync(
    main,
    `import { serve } from ${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)}; serve({ role: "vault", http: false, start() {} });`,
  );
  const { status, stderr } = spawnSync(process.execPath, [main], { encoding: "utf8" });
  expect([status, stderr]).toEqual([2, "The vault is started by trefoil: run npm start.\n"]);
});
