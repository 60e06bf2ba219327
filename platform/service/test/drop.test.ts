/** The drop of rights, seen from inside and outside. Needs root: without it there is nothing to drop. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ask, type Mini, makeMini, noLateImports } from "./mini-server.ts";

const isRoot = process.getuid?.() === 0;
const identity = { uid: 58_777, gid: 58_778 };
const flags = ["--import", noLateImports];
// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });
let mini: Mini;
beforeEach(async () => {
  mini = await makeMini();
});
afterEach(() => mini.remove());

test.runIf(isRoot)(
  "a whole server loads nothing after the drop of rights: store, links, https, administration, metrics, errors, stop",
  async () => {
    // What a server may do after its start, so that whatever is loaded late would be loaded here.
    const child = mini.start(
      "network-server",
      `store: { migrations: ["CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT"], statements: { add: "INSERT INTO a VALUES (?)" } },
    async start(ctx) {
      await ctx.store.commit([{ statement: "add", rows: [[1]] }]);
      await ctx.store.commit([{ statement: "add", rows: [[1]] }]).catch(() => 0);
      const links = await listenLink(ctx, { address: ctx.config.link, from: { "gateway-server": {} } });
      ctx.onStop(() => links.close());
      ctx.listening("link", links.address);
      const up = connectLink(ctx, { to: "application-server", address: links.address });
      ctx.onStop(() => up.close());
      const https = connectHttps(ctx, { to: "join-server", address: links.address });
      const refused = await https.post("/", {}).then(() => "?", ({ code }) => code);
      ctx.admin.post("/typed", { schema: { body: { type: "array", items: { type: "object", required: ["x"] } } } }, async ({ body }) => ({
        rows: ctx.store.read("SELECT id FROM a").all().length, refused,
        ids: [process.getuid(), process.geteuid(), process.getgid(), process.getegid(), ...process.getgroups()],
        umask: process.umask(), environ: readFileSync("/proc/self/status", "utf8").match(/CapEff:\\s*(\\w+)/)[1],
        code: (() => { try { return readdirSync(${JSON.stringify("/root")}).length; } catch (e) { return e.code; } })(),
        own: (() => { try { return readFileSync(process.argv[1], "utf8").length; } catch (e) { return e.code; } })(),
      }));
    }`,
      { identity, flags },
    );
    const { http } = await child.ready;
    const socketPath = join(mini.network.dataDir("network-server"), "admin.sock");
    const answer = JSON.parse((await ask({ socketPath, path: "/typed", body: '[{"x":1}]' })).body);
    expect(answer).toEqual({
      rows: 1,
      refused: "link/not-pinned",
      ids: [identity.uid, identity.uid, identity.gid, identity.gid, identity.gid],
      umask: 0o077,
      environ: "0000000000000000",
      code: "EACCES",
      own: "EACCES",
    });
    expect((await ask({ socketPath, path: "/typed", body: "[{}]" })).status).toBe(400);
    expect((await ask({ socketPath, path: "/none" })).status).toBe(404);
    expect((await ask({ port: http?.port as number, path: "/metrics" })).body).toMatch(/process_open_fds|nodejs_heap/);
    for (const name of ["store.sqlite", "store.sqlite-wal", "admin.sock"]) {
      const { uid, gid, mode } = statSync(join(mini.network.dataDir("network-server"), name));
      expect([name, uid, gid, mode & 0o777]).toEqual([name, identity.uid, identity.gid, 0o600]);
    }
    expect(await child.stop()).toEqual({ code: 0, signal: null });
    expect(child.output()).not.toContain("loaded after");
  },
);

test.runIf(isRoot)("the check above can fail: a server that imports late does not start", async () => {
  const child = mini.start("gateway-server", `async start() { await import("fast-check"); }`, { identity, flags });
  expect(await child.failure).toMatchObject({ code: "start/failed" });
});

test.runIf(isRoot)(
  "the worker prepared before the drop is the new user's too, and root is out of reach for both",
  async () => {
    const child = mini.start(
      "gateway-server",
      `async prepare() {
      const { Worker } = await import("node:worker_threads");
      const worker = new Worker('const { parentPort } = require("node:worker_threads"); const fs = require("node:fs"); parentPort.on("message", () => { let shadow; try { shadow = fs.readFileSync("/etc/shadow").length; } catch (e) { shadow = e.code; } parentPort.postMessage(shadow); });', { eval: true });
      await new Promise((resolve) => worker.once("online", resolve));
      return worker;
    },
    async start(ctx) {
      ctx.prepared.postMessage(1);
      const shadow = await new Promise((resolve) => ctx.prepared.once("message", resolve));
      let back = "regained"; try { process.setuid(0); } catch (e) { back = e.code; }
      ctx.fact("shadow", () => shadow); ctx.fact("back", () => back);
    }`,
      { identity, flags: [] },
    );
    await child.ready;
    const socketPath = join(mini.network.dataDir("gateway-server"), "admin.sock");
    expect(JSON.parse((await ask({ socketPath, path: "/status" })).body).facts).toEqual({
      shadow: "EACCES",
      back: "EPERM",
    });
  },
);

test.runIf(isRoot)("root is not an identity", async () => {
  const child = mini.start("gateway-server", "start() {}", { boot: { identity: { uid: 0, gid: 0 } } });
  expect(await child.failure).toEqual({
    code: "start/identity",
    message: "a server must not run as root",
    retry: "never",
  });
});

test.runIf(isRoot)(
  "all of it works under Node's permission model with the rights that the supervisor gives",
  async () => {
    const dataDir = mini.network.dataDir("network-server");
    const project = new URL("../../../", import.meta.url).pathname;
    const read = [project, mini.code, dataDir].map((path) => `--allow-fs-read=${path}`);
    const child = mini.start(
      "network-server",
      `store: { migrations: ["CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT"], statements: { add: "INSERT INTO a VALUES (?)" } },
    async start(ctx) {
      await ctx.store.commit([{ statement: "add", rows: [[1], [2]] }]);
      const links = await listenLink(ctx, { address: ctx.config.link, from: { "gateway-server": {} } });
      ctx.onStop(() => links.close());
      ctx.fact("rows", () => ctx.store.read("SELECT id FROM a").all().length);
      ctx.fact("passwd", () => { try { return readFileSync("/etc/passwd").length; } catch (e) { return e.code; } });
    }`,
      {
        identity,
        flags: ["--permission", ...read, `--allow-fs-write=${dataDir}`, "--allow-worker", "--disable-warning=PERM0006"],
      },
    );
    await child.ready;
    const { body } = await ask({ socketPath: join(dataDir, "admin.sock"), path: "/status" });
    expect(JSON.parse(body).facts).toEqual({ rows: 2, passwd: "ERR_ACCESS_DENIED" });
    expect(await child.stop()).toEqual({ code: 0, signal: null });
  },
);
