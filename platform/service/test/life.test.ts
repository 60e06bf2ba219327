/** A server's whole life as a process of its own, with the real messages. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { giveTo, makeTestNetwork, startChild, type TestChild, type TestNetwork } from "../src/testing.ts";

const service = new URL("../src/index.ts", import.meta.url).href;
const _isRoot = process.getuid?.() === 0;
let network: TestNetwork;
let code: string;
const children: TestChild[] = [];

beforeAll(() => {
  // Root-owned and closed to all others: what is imported after the drop of rights is not found.
  code = mkdtempSync("/tmp/trefoil-code-");
});
afterAll(() => rmSync(code, { recursive: true }));
afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  network?.remove();
});

/** Writes a main.ts whose definition has `body`, and starts it. */
async function run(
  body: string,
  more: { identity?: { uid: number; gid: number }; udp?: number } = {},
): Promise<TestChild> {
  network = await makeTestNetwork("gateway-server");
  const main = join(code, `${children.length}-${process.hrtime.bigint()}.mts`);
  writeFileSync(
    main,
    `import { serve, Fault, listening } from ${JSON.stringify(service)};\nimport { createSocket } from "node:dgram";\nimport { readFileSync } from "node:fs";\nserve({ role: "gateway-server", ${body} });\n`,
  );
  const boot = network.boot(
    "gateway-server",
    more.udp === undefined ? {} : { udp: { host: "127.0.0.1", port: more.udp } },
  );
  if (more.identity) giveTo(network, "gateway-server", more.identity.uid, more.identity.gid);
  const child = startChild(main, { ...boot, ...(more.identity ? { identity: more.identity } : {}) });
  children.push(child);
  return child;
}

const get = (options: {
  port?: number;
  socketPath?: string;
  path: string;
  method?: string;
  body?: string;
  type?: string;
}) =>
  new Promise<{ status: number; body: string }>((resolve, reject) => {
    const asked = request(
      {
        host: "127.0.0.1",
        ...options,
        headers: options.body === undefined ? {} : { "content-type": options.type ?? "application/json" },
      },
      (answer) => {
        let body = "";
        answer
          .setEncoding("utf8")
          .on("data", (text) => (body += text))
          .on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
      },
    );
    asked.on("error", reject);
    asked.end(options.body);
  });

test("it starts, tells its listeners, answers health, metrics and administration, and stops with exit code 0", async () => {
  const child = await run(
    `start(ctx) { ctx.fact("gateways", () => 3); ctx.admin.post("/gateways", async (request) => ({ got: request.body })); }`,
  );
  const { http } = await child.ready;
  const port = http?.port as number;
  expect(await get({ port, path: "/healthz" })).toEqual({ status: 200, body: "ok\n" });
  expect(await get({ port, path: "/readyz" })).toEqual({ status: 200, body: "ready\n" });
  expect((await get({ port, path: "/metrics" })).body).toMatch(/^process_cpu_seconds_total \d/m);
  const socketPath = join(network.dataDir("gateway-server"), "admin.sock");
  expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  expect(JSON.parse((await get({ socketPath, path: "/status" })).body)).toMatchObject({
    role: "gateway-server",
    facts: { gateways: 3 },
  });
  expect(
    JSON.parse(
      (
        await get({
          socketPath,
          path: "/gateways",
          method: "POST",
          body: '{"a":1}\n\n{"b":2}\n',
          type: "application/x-ndjson",
        })
      ).body,
    ),
  ).toEqual({ got: [{ a: 1 }, { b: 2 }] });
  expect(await child.stop()).toEqual({ code: 0, signal: null });
});
