/** The tap sees every kind of message between processes, in clear: or the proof would say nothing about them. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { issueCertificate, makeCa, makeServerKeyAndCsr } from "@trefoil/service/certificates";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Records } from "../records.ts";
import { importTap, tapFlags } from "./flags.ts";
import { disguise, undisguise } from "./format.ts";

const folder = mkdtempSync(join(tmpdir(), "tap-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Says one thing over every channel there is; each end is in this process. */
const program = `
import { spawn } from "node:child_process";
import dgram from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";
const pem = JSON.parse(readFileSync(process.argv[2], "utf8"));
const at = async (server) => { server.listen(0, "127.0.0.1"); await once(server, "listening"); return server.address().port; };
const echo = (socket) => { socket.on("data", (chunk) => socket.end("answer-" + chunk)); socket.on("error", () => {}); };
const said = async (socket, text) => { socket.write(text.slice(0, 3)); socket.end(text.slice(3)); await once(socket.resume(), "close"); };
await said(net.connect(await at(net.createServer(echo)), "127.0.0.1"), "in-[tcp]");
await said(tls.connect({ port: await at(tls.createServer(pem, echo)), host: "127.0.0.1", rejectUnauthorized: false }), "in-[tls]");
for (const [name, module, options] of [["http", http, {}], ["https", https, pem]]) {
  const server = module.createServer(options, (request, response) => request.on("data", () => {}).on("end", () => response.end("answer-[" + name + "]")));
  const request = module.request({ port: await at(server), host: "127.0.0.1", method: "POST", rejectUnauthorized: false });
  request.end("in-[" + name + "]");
  const [response] = await once(request, "response");
  await once(response.resume(), "end");
}
const udp = dgram.createSocket("udp4").bind(0, "127.0.0.1");
await once(udp, "listening");
udp.send("in-[udp]", udp.address().port, "127.0.0.1");
await once(udp, "message");
const child = spawn(process.execPath, ["-e", "process.on('message', () => { process.send('from-ipc'); console.log('in-log'); process.disconnect(); })"], { stdio: ["pipe", "pipe", "pipe", "ipc"] });
child.stdin.write("in-stdin");
child.send("in-ipc");
child.stdout.resume();
await once(child, "exit");
process.exit(0);
`;

let heard: { readonly out: string; readonly in: string };
beforeAll(async () => {
  const ca = await makeCa();
  const { keyPem, csrPem } = await makeServerKeyAndCsr("gateway-server");
  const { certificatePem } = await issueCertificate(ca, "gateway-server", csrPem);
  writeFileSync(join(folder, "pem.json"), JSON.stringify({ key: keyPem, cert: certificatePem }));
  writeFileSync(join(folder, "program.mjs"), program);
  execFileSync(process.execPath, [importTap(folder), join(folder, "program.mjs"), join(folder, "pem.json")]);
  const records = new Records(folder);
  records.readOn();
  const all = (direction: "out" | "in") =>
    records.traffic.map((traffic) => Buffer.concat(traffic[direction]).toString("latin1")).join("\n");
  heard = { out: all("out"), in: all("in") };
  records.close();
}, 30_000);

describe("messages are written down as they were before encryption and after decryption", () => {
  test.each(["tcp", "tls", "http", "https", "udp"])("%s, at both ends", (channel) => {
    expect(heard.out).toContain(`in-[${channel}]`);
    expect(heard.in).toContain(`in-[${channel}]`);
    if (channel === "udp") return;
    expect(heard.out).toContain("answer-");
    expect(heard.in).toContain(channel.startsWith("http") ? `answer-[${channel}]` : `answer-in`);
  });
  test("Node's IPC, standard input and output of a child", () => {
    expect(heard.out).toContain('"in-ipc"');
    expect(heard.in).toContain('"from-ipc"');
    expect(heard.out).toContain("in-stdin");
    expect(heard.in).toContain("in-log");
  });
});

test("a process that may do nothing but read its code can be tapped, and writes nowhere else", async () => {
  const own = mkdtempSync(join(folder, "fenced-"));
  const code = fileURLToPath(new URL("../../../../../", import.meta.url));
  const child = spawn(
    process.execPath,
    ["--permission", `--allow-fs-read=${code}`, ...tapFlags(own), "-e", "fs.writeFileSync('/tmp/elsewhere', '')"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const [[error]] = await Promise.all([once(child.stderr, "data"), once(child, "exit")]);
  expect(String(error)).toContain("ERR_ACCESS_DENIED");
  expect(readdirSync(own)).toHaveLength(1);
});

test("an order to plant octets is no copy of them", () => {
  const octets = Uint8Array.from({ length: 256 }, (_, i) => i);
  expect([...undisguise(disguise(octets))]).toEqual([...octets]);
  expect(disguise(octets)).toMatch(/^[g-v]+$/);
});
