/**
 * The load generator, in a process of its own.
 *
 *   main.ts --server HOST:PORT --devices N [--seed S] [--fcnt-start F] [--gateways G] [--per-datagram K]
 *           [--rate R] [--seconds T] [--ahead D]
 *
 * Lines on standard input: `rate R`, `ramp FROM TO SECONDS`, `stop`. JSON lines on standard output: `ready`, then a
 * `report` each second, then `end`. `tmst` is the Unix time in microseconds modulo 2^32 when the datagram left, so that
 * a receiver on the same machine can tell how long a frame took.
 */
import { createSocket, type Socket } from "node:dgram";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { datagramType, encodeDatagram } from "../gateway/semtech.ts";
import { fromHex } from "../octets.ts";
import { Datagrams } from "./datagrams.ts";
import { loadGateways, maxLoadDevices } from "./devices.ts";
import { Pacer } from "./pacer.ts";

const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

function readOptions() {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      server: text,
      devices: text,
      seed: text,
      "fcnt-start": text,
      gateways: text,
      "per-datagram": text,
      rate: text,
      seconds: text,
      ahead: text,
    },
  });
  const whole = (name: keyof typeof values, usual: number, least: number, most: number): number => {
    const value = Number(values[name] ?? usual);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new RangeError(`--${name}: expected a whole number from ${least} to ${most}`);
    return value;
  };
  const server = /^(.+):(\d{1,5})$/.exec(values.server ?? "");
  if (server === null) throw new RangeError("--server: expected HOST:PORT");
  return {
    host: server[1] as string,
    port: Number(server[2]),
    devices: whole("devices", 10_000, 1, maxLoadDevices),
    seed: whole("seed", 1, 0, 0xffffff),
    fCntStart: whole("fcnt-start", 1, 0, 0xffffffff),
    gateways: whole("gateways", 8, 1, 256),
    perDatagram: whole("per-datagram", 1, 1, 32),
    rate: whole("rate", 0, 0, 1_000_000),
    seconds: whole("seconds", 0, 0, 1_000_000),
    ahead: whole("ahead", 32_768, 64, 10_000_000),
  };
}

const options = readOptions();
const euis = loadGateways(options.gateways, options.seed).map(fromHex);
const datagrams = new Datagrams({ ...options, gateways: euis });
const counts = { sent: 0, acked: 0, downlinks: 0, errors: 0 };
const connected = new Set<number>();
const pacer = new Pacer();

function hear(gateway: number, datagram: Buffer): void {
  const type = datagram[3];
  if (type === datagramType.pushAck) counts.acked += options.perDatagram;
  else if (type === datagramType.pullAck) connected.add(gateway);
  else if (type === datagramType.pullResp) {
    counts.downlinks++;
    const token = ((datagram[1] ?? 0) << 8) | (datagram[2] ?? 0);
    send(gateway, encodeDatagram(datagramType.txAck, token, euis[gateway] as Uint8Array));
  }
}

async function openSocket(gateway: number): Promise<Socket> {
  const socket = createSocket({ type: "udp4", recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
  socket.on("message", (datagram) => hear(gateway, datagram));
  socket.on("error", () => counts.errors++);
  await new Promise<void>((resolve) => socket.connect(options.port, options.host, resolve));
  return socket;
}

const sockets = await Promise.all(euis.map((_, gateway) => openSocket(gateway)));
const send = (gateway: number, datagram: Uint8Array) => (sockets[gateway] as Socket).send(datagram);
function sayHello(): void {
  for (const [gateway, eui] of euis.entries()) send(gateway, encodeDatagram(datagramType.pullData, gateway, eui));
}

const unixMicros = () => (performance.timeOrigin + performance.now()) * 1000;
/** Due in frames; datagrams carry several. */
let owed = 0;
function sendDue(): void {
  owed += pacer.due(performance.now());
  const tmst = Math.floor(unixMicros() % 2 ** 32);
  let count = Math.floor(owed / options.perDatagram);
  if (count > datagrams.ready) datagrams.build(count - datagrams.ready);
  owed -= count * options.perDatagram;
  const sentNow = count;
  for (; count > 0; count--) {
    const { datagram, gateway } = datagrams.take(tmst);
    send(gateway, datagram);
    counts.sent += options.perDatagram;
  }
  // A ring that is large enough for the run is never touched again; a smaller one is kept a quarter full.
  if (datagrams.ready < options.ahead / 4) datagrams.build(sentNow + 8);
}

let last = { at: performance.now(), sent: 0, cpu: process.cpuUsage() };
const begun = performance.now();
function report(is: "report" | "end"): void {
  const at = performance.now();
  const cpu = process.cpuUsage();
  const sentSince = counts.sent - last.sent;
  const cpuSince = cpu.user + cpu.system - last.cpu.user - last.cpu.system;
  const round = (value: number) => Math.round(value * 100) / 100;
  print({
    is,
    seconds: round((at - begun) / 1000),
    ...counts,
    skipped: pacer.skipped,
    perSecond: Math.round((sentSince * 1000) / (at - last.at)),
    /** Per uplink since the last report. */
    cpuMicros: sentSince === 0 ? 0 : round(cpuSince / sentSince),
  });
  last = { at, sent: counts.sent, cpu };
}

let stopping = false;
const timers: NodeJS.Timeout[] = [];

const sleeper = new Int32Array(new SharedArrayBuffer(4));
const tickMs = 2;
/** Sleeps instead of waiting for events: acks then come in handfuls, and each costs a fraction of a wake-up of its own. */
function tick(): void {
  if (stopping) return;
  sendDue();
  Atomics.wait(sleeper, 0, 0, tickMs);
  setImmediate(tick);
}

/** Stops sending, waits a little for the last acks, and ends. */
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  for (const timer of timers) clearInterval(timer);
  for (let left = 40; left > 0 && counts.acked < counts.sent; left--)
    await new Promise((resolve) => setTimeout(resolve, 50));
  report("end");
  for (const socket of sockets) socket.close();
  commands.close();
  process.stdin.destroy();
}

const commands = createInterface({ input: process.stdin });
commands.on("line", (line) => {
  const [verb, ...numbers] = line.trim().split(/\s+/);
  const [a = Number.NaN, b = Number.NaN, c = Number.NaN] = numbers.map(Number);
  if (verb === "rate" && a >= 0) pacer.setRate(performance.now(), a);
  else if (verb === "ramp" && a >= 0 && b >= 0 && c >= 0) pacer.ramp(performance.now(), a, b, c);
  else if (verb === "stop") void stop();
  else if (verb !== "") print({ is: "unknown", line });
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void stop());

while (datagrams.room > 0) datagrams.build(options.ahead);
sayHello();
timers.push(setInterval(sayHello, 5_000));
for (let left = 250; left > 0 && connected.size < sockets.length && !stopping; left--)
  await new Promise((resolve) => setTimeout(resolve, 20));
if (!stopping) {
  print({
    is: "ready",
    devices: options.devices,
    gateways: sockets.length,
    connected: connected.size,
    datagramOctets: datagrams.length,
  });
  pacer.setRate(performance.now(), options.rate);
  last = { at: performance.now(), sent: 0, cpu: process.cpuUsage() };
  timers.push(setInterval(() => report("report"), 1_000));
  if (options.seconds > 0) timers.push(setTimeout(() => void stop(), options.seconds * 1000));
  tick();
}
