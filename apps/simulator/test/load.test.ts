import { spawn } from "node:child_process";
import { createCipheriv, createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import loraPacketModule from "lora-packet";
import { describe, expect, test } from "vitest";
import { loadDevices, loadGateways, toHex } from "../src/index.ts";
import { Datagrams } from "../src/load/datagrams.ts";
import { encryptBlock, expandKey } from "../src/load/fast-aes.ts";
import { shuffledRound } from "../src/load/order.ts";
import { Pacer } from "../src/load/pacer.ts";
import { fromHex } from "../src/octets.ts";
import { seededRandom } from "../src/random.ts";

const lora = loraPacketModule as unknown as typeof loraPacketModule.default;
const random = seededRandom("load");
const octets = (count: number) => Uint8Array.from({ length: count }, () => random.int(256));
const aes = (key: Uint8Array, block: Uint8Array) =>
  createCipheriv("aes-128-ecb", key, null).setAutoPadding(false).update(block);

test("the table AES equals OpenSSL's (FIPS 197)", () => {
  for (let i = 0; i < 200; i++) {
    const [key, block] = [octets(16), octets(16)];
    const ours = block.slice();
    encryptBlock(expandKey(key), ours, 0);
    expect(toHex(ours)).toBe(aes(key, block).toString("hex"));
  }
});

test("load devices follow from the seed as documented, so that a million need no file", () => {
  const [first, , third] = [...loadDevices(3, 42)];
  expect(first).toMatchObject({ devAddr: "01000000", devEui: "0200002a00000000" });
  const seedKey = createHash("sha256")
    .update("trefoil-load\0" + "42")
    .digest()
    .subarray(0, 16);
  const key = (purpose: number) =>
    aes(seedKey, Uint8Array.of(purpose, 0, 0, 0, 2, ...new Uint8Array(11))).toString("hex");
  expect(toHex(third?.nwkSKey as Uint8Array)).toBe(key(1));
  expect(toHex(third?.appSKey as Uint8Array)).toBe(key(2));
  const last = [...loadDevices(70_000, 1)].at(-1);
  expect(last?.devAddr).toBe("0101116f");
  expect(loadGateways(3, 1)).toEqual(["026c6f6164000100", "026c6f6164000101", "026c6f6164000102"]);
});

describe("frames of the load", () => {
  const devices = 40;
  const build = (perDatagram: number) =>
    new Datagrams({
      devices,
      seed: 7,
      fCntStart: 65_530,
      perDatagram,
      gateways: loadGateways(3, 7).map(fromHex),
      ahead: 64,
    });

  test.each([1, 4])(
    "verify and decrypt with lora-packet; %i in a datagram; FCnt rises per device and round, across 16 bits",
    (perDatagram) => {
      const datagrams = build(perDatagram);
      const keys = new Map([...loadDevices(devices, 7)].map((device) => [device.devAddr, device]));
      const counters = new Map<string, number>();
      const gateways = new Set<string>();
      let sequence = 0;
      for (let taken = 0; sequence < 400; taken++) {
        if (datagrams.ready === 0) datagrams.build(50);
        const { datagram } = datagrams.take(taken === 0 ? 0 : 4_294_967_295);
        expect(datagram.length).toBe(datagrams.length);
        gateways.add(datagram.subarray(4, 12).toString("hex"));
        const body = JSON.parse(datagram.subarray(12).toString()) as {
          rxpk: { tmst: number; data: string; size: number }[];
        };
        expect(body.rxpk.length).toBe(perDatagram);
        for (const { tmst, data, size } of body.rxpk) {
          expect(tmst).toBe(taken === 0 ? 0 : 4_294_967_295);
          const packet = lora.fromWire(Buffer.from(data, "base64"));
          expect(packet.PHYPayload?.length).toBe(size);
          const devAddr = (packet.DevAddr as Buffer).toString("hex");
          const device = keys.get(devAddr);
          const fCnt = 65_530 + Math.floor(sequence / devices);
          const upper = Buffer.of((fCnt >>> 16) & 255, fCnt >>> 24);
          expect(lora.verifyMIC(packet, Buffer.from(device?.nwkSKey as Uint8Array), undefined, upper)).toBe(true);
          const payload = lora.decrypt(packet, Buffer.from(device?.appSKey as Uint8Array), undefined, upper);
          expect(payload.length).toBe(17);
          expect([payload.readUInt32BE(0), payload.readUInt32BE(8), payload.subarray(12).toString()]).toEqual([
            sequence,
            fCnt,
            "trefo",
          ]);
          expect(fCnt).toBe((counters.get(devAddr) ?? 65_529) + 1);
          counters.set(devAddr, fCnt);
          sequence++;
        }
      }
      expect(counters.size).toBe(devices);
      expect(gateways.size).toBe(3);
    },
  );
});

test.each([1, 2, 7, 40, 1000, 65_537])("a round of %i devices names each once, and the next round differs", (n) => {
  const first = shuffledRound(n, 1, 0);
  const order = Array.from({ length: n }, (_, i) => first(i));
  expect(new Set(order).size).toBe(n);
  expect(Math.max(...order)).toBe(n - 1);
  if (n < 40) return;
  const second = shuffledRound(n, 1, 1);
  expect(order.filter((index, i) => second(i) === index).length).toBeLessThan(n / 5);
  expect(order.filter((index, i) => index === i).length).toBeLessThan(n / 5);
});

describe("the pacer", () => {
  test("follows absolute time, makes a late tick good up to 5 ms, and counts what is skipped beyond", () => {
    const pacer = new Pacer();
    pacer.setRate(1_000, 1_000);
    expect(pacer.due(1_001)).toBe(1);
    expect(pacer.due(1_004.5)).toBe(3);
    expect(pacer.due(1_024)).toBe(5);
    expect(pacer.skipped).toBe(15);
    expect(pacer.due(1_025)).toBe(1);
  });
  test("a ramp sends the area under it", () => {
    const pacer = new Pacer({ burstMs: 10_000 });
    pacer.ramp(0, 0, 1_000, 10);
    expect(pacer.due(5_000)).toBe(1_250);
    expect(pacer.due(10_000)).toBe(3_750);
    expect(pacer.due(11_000)).toBe(1_000);
  });
});

test("the process says hello, sends on command, counts acks, reports JSON lines, and stops when told", async () => {
  const socket = createSocket("udp4");
  const seen = new Set<string>();
  socket.on("message", (datagram, peer) => {
    const isPull = datagram[3] === 2;
    if (!isPull) seen.add(datagram.subarray(12).toString());
    socket.send(Buffer.of(2, datagram[1] as number, datagram[2] as number, isPull ? 4 : 1), peer.port, peer.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const main = fileURLToPath(new URL("../src/load/main.ts", import.meta.url));
  const child = spawn(process.execPath, [
    main,
    "--server",
    `127.0.0.1:${socket.address().port}`,
    "--devices",
    "50",
    "--gateways",
    "2",
    "--ahead",
    "256",
  ]);
  const lines: Record<string, number | string>[] = [];
  const exit = new Promise<number | null>((resolve) => child.on("exit", resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    const report = JSON.parse(line);
    lines.push(report);
    if (report.is === "ready") child.stdin.write("rate 300\n");
    if (report.is === "report" && report.sent > 100) child.stdin.write("stop\n");
  }
  expect(await exit).toBe(0);
  socket.close();
  expect(lines[0]).toMatchObject({ is: "ready", connected: 2, gateways: 2 });
  const end = lines.at(-1);
  expect(end).toMatchObject({ is: "end", errors: 0 });
  expect(end?.acked).toBe(end?.sent);
  expect(seen.size).toBe(end?.sent);
}, 30_000);
