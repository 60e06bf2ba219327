import { createSocket, type Socket } from "node:dgram";
import { afterEach, expect, test } from "vitest";
import { RealClock, VirtualClock } from "../radio/clock.ts";
import { type Emission, Medium } from "../radio/medium.ts";
import { seededRandom } from "../random.ts";
import { regions } from "../regions/index.ts";
import { Concentrator } from "./concentrator.ts";
import { Gateway } from "./gateway.ts";
import { decodeDatagram, type Reception } from "./semtech.ts";

const here = [0, 0, 10] as const;
const calm = { exponent: 2.9, shadowingDb: 0, seed: 1 };

function concentrator(counterAt0 = 0) {
  const clock = new VirtualClock();
  const medium = new Medium(clock, calm);
  const got: Reception[] = [];
  const radio = new Concentrator({
    place: { id: "gw", position: here },
    clock,
    medium,
    region: regions.EU868,
    counterAt0,
    received: (reception) => got.push(reception),
  });
  medium.addEar(radio);
  const uplink = (changes: Partial<Emission> = {}) =>
    medium.emit({
      from: { id: "d", position: [100, 0, 1] },
      startUs: 1_000_000,
      endUs: 1_050_000,
      hz: 868_100_000,
      rate: { sf: 7, bwHz: 125_000 },
      inverted: false,
      eirpDbm: 14,
      octets: Uint8Array.of(1),
      ...changes,
    });
  return { clock, got, radio, uplink };
}

test("an uplink is stamped with the counter at its end, across the wrap", async () => {
  const one = concentrator(2 ** 32 - 1_000_000);
  one.uplink();
  await one.clock.runUntil(2e6);
  expect(one.got[0]).toMatchObject({ tmst: 50_000, channel: 0, hz: 868_100_000 });
});

test("eight demodulators, not nine", async () => {
  const one = concentrator();
  for (let i = 0; i < 9; i++)
    one.uplink({
      from: { id: `d${i}`, position: [100, i, 1] },
      hz: regions.EU868.gateway.multiHz[i % 8] as number,
      rate: { sf: 7 + Math.floor(i / 8), bwHz: 125_000 },
    });
  await one.clock.runUntil(2e6);
  expect(one.got).toHaveLength(8);
});

test("channels that it has not, bandwidths of no demodulator and inverted frames are not heard; SF7BW250 on its own channel is", async () => {
  const one = concentrator();
  one.uplink({ hz: 869_525_000 });
  one.uplink({ hz: 868_300_000, rate: { sf: 8, bwHz: 250_000 } });
  one.uplink({ hz: 867_100_000, inverted: true });
  one.uplink({ hz: 868_300_000, rate: { sf: 7, bwHz: 250_000 } });
  await one.clock.runUntil(2e6);
  expect(one.got.map(({ channel }) => channel)).toEqual([8]);
});

test("half-duplex: deaf while it sends, and what it was receiving is lost", async () => {
  const one = concentrator();
  const packet = {
    hz: 869_525_000,
    rate: { sf: 9, bwHz: 125_000 },
    powerDbm: 14,
    inverted: true,
    octets: Uint8Array.of(1),
    airtimeUs: 100_000,
    needsGps: false,
  };
  one.radio.sendAt(1_000_000, packet, () => undefined);
  one.uplink({ startUs: 990_000, endUs: 1_040_000 });
  one.uplink({ startUs: 1_050_000, endUs: 1_090_000, hz: 868_300_000 });
  one.uplink({ startUs: 1_100_000, endUs: 1_150_000, hz: 868_500_000 });
  await one.clock.runUntil(2e6);
  expect(one.got.map(({ hz }) => hz)).toEqual([868_500_000]);
});

const open: { close(): unknown }[] = [];
afterEach(() => Promise.all(open.splice(0).map((one) => one.close())));

async function talkingGateway() {
  const server: Socket = createSocket("udp4");
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
  const clock = new RealClock();
  const medium = new Medium(clock, calm);
  const sent: Emission[] = [];
  medium.tap((emission) => sent.push(emission));
  const gateway = new Gateway({
    eui: "0102030405060708",
    position: here,
    region: regions.EU868,
    clock,
    medium,
    random: seededRandom(2),
    counterAt0: 2 ** 32 - 1_000_000,
    server: { host: "127.0.0.1", port: server.address().port },
  });
  open.push(gateway, clock, { close: () => new Promise<void>((resolve) => server.close(() => resolve())) });
  const hello = new Promise<{ datagram: Buffer; port: number }>((resolve) =>
    server.once("message", (datagram, { port }) => resolve({ datagram, port })),
  );
  await gateway.start();
  const { datagram, port } = await hello;
  server.send(Buffer.of(2, datagram[1] as number, datagram[2] as number, 4), port, "127.0.0.1");
  /** Sends a PULL_RESP and answers the body of its TX_ACK. */
  const ask = (txpk: object, token = 0x1234) =>
    new Promise<string>((resolve) => {
      const listen = (answer: Buffer) => {
        if (answer[3] !== 5 || answer.readUInt16BE(1) !== token) return;
        server.off("message", listen);
        resolve(answer.subarray(12).toString());
      };
      server.on("message", listen);
      server.send(
        Buffer.concat([Buffer.of(2, token >> 8, token & 255, 3), Buffer.from(JSON.stringify({ txpk }))]),
        port,
        "127.0.0.1",
      );
    });
  const counter = () => Math.floor((clock.now() + 2 ** 32 - 1_000_000) % 2 ** 32);
  return { gateway, sent, ask, counter, datagram };
}
const txpk = {
  freq: 868.1,
  rfch: 0,
  powe: 14,
  modu: "LORA",
  datr: "SF7BW125",
  codr: "4/5",
  ipol: true,
  size: 3,
  data: "YAEC",
};

test("says PULL_DATA with its EUI, and a PULL_RESP that fits is accepted with an empty TX_ACK and sent at its instant", async () => {
  const { gateway, sent, ask, counter, datagram } = await talkingGateway();
  expect(datagram.subarray(3).toString("hex")).toBe("020102030405060708");
  expect(await gateway.connectedWithin(5_000)).toBe(true);
  const done = new Promise<void>((resolve) => gateway.on((event) => event.is === "sent" && resolve()));
  expect(await ask({ ...txpk, tmst: (counter() + 2_000_000) >>> 0 })).toBe("");
  await done;
  expect(sent[0]).toMatchObject({ hz: 868_100_000, inverted: true, eirpDbm: 14, octets: Uint8Array.of(0x60, 1, 2) });
  expect(gateway.counts).toMatchObject({ downlinks: 1, sent: 1, refused: 0 });
});

test.each<[string, object, string]>([
  ["a frequency outside the band", { freq: 902.3 }, '{"txpk_ack":{"error":"TX_FREQ"}}'],
  ["a power below its table", { powe: -20 }, '{"txpk_ack":{"error":"TX_POWER"}}'],
  ["a power between two entries", { powe: 15 }, '{"txpk_ack":{"warn":"TX_POWER","value":14}}'],
  ["GPS time", { tmst: undefined, tmms: 1_000_000 }, '{"txpk_ack":{"error":"GPS_UNLOCKED"}}'],
])("answers %s as a packet forwarder does", async (_, changes, expected) => {
  const { ask, counter } = await talkingGateway();
  expect(await ask({ ...txpk, tmst: (counter() + 5_000_000) >>> 0, ...changes })).toBe(expected);
});

test("answers a tmst that is past, too near, too far or taken, as a packet forwarder does", async () => {
  const { ask, counter } = await talkingGateway();
  const at = (us: number) => ({ ...txpk, tmst: (counter() + us) >>> 0 });
  expect(await ask(at(-1_000))).toContain("TOO_EARLY");
  expect(await ask(at(20_000))).toMatch(/TOO_LATE|TOO_EARLY/); // the latter when 20 ms went by on the way
  expect(await ask(at(600_000_000))).toContain("TOO_EARLY");
  const taken = at(5_000_000);
  expect(await ask(taken)).toBe("");
  expect(await ask(taken)).toContain("COLLISION_PACKET");
});

test("no datagram makes the reader throw (Semtech PROTOCOL.TXT)", () => {
  const random = seededRandom("semtech");
  for (let i = 0; i < 3000; i++) {
    const octets = Uint8Array.from({ length: random.int(40) }, () => random.int(256));
    if (i % 2 === 0) octets.set([2, 0, 0, random.int(6)].slice(0, octets.length));
    expect(decodeDatagram(octets)).toHaveProperty("is");
  }
  for (const body of [
    "",
    "null",
    "7",
    "[]",
    '{"txpk":null}',
    '{"txpk":[]}',
    JSON.stringify({ txpk: { ...txpk, datr: "SF13BW125", imme: true } }),
    JSON.stringify({ txpk: { ...txpk, size: 9, imme: true } }),
    JSON.stringify({ txpk }),
  ]) {
    expect(decodeDatagram(Buffer.concat([Buffer.of(2, 0, 0, 3), Buffer.from(body)])), body).toEqual({
      is: "malformed",
    });
  }
  expect(
    decodeDatagram(
      Buffer.concat([Buffer.of(2, 0, 9, 3), Buffer.from(JSON.stringify({ txpk: { ...txpk, imme: true } }))]),
    ),
  ).toMatchObject({ is: "pull-resp", token: 9 });
});
