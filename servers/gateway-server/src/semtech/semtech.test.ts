/** The texts of the protocol, well-formed and not. Real examples have the shape that lora_pkt_fwd and its successors send. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeDatagram, encodeAck, mostOctets, readJson } from "./datagram.ts";
import { octetsOf, readRxpk } from "./rxpk.ts";
import { hasMoved, readStat } from "./stat.ts";
import { readTxAck } from "./tx-ack.ts";
import { encodePullResp, powerDbm } from "./txpk.ts";

const header = (type: number, version = 2) => Buffer.from([version, 0xbe, 0xef, type, 0xaa, 0x55, 0x5a, 0, 0, 0, 1, 1]);

describe("datagrams", () => {
  test("header of PUSH_DATA, PULL_DATA and TX_ACK, in versions 1 and 2", () => {
    for (const [type, is] of [
      [0, "push-data"],
      [2, "pull-data"],
      [5, "tx-ack"],
    ] as const)
      for (const version of [1, 2])
        expect(decodeDatagram(header(type, version))).toEqual({ is, version, token: 0xbeef, eui: "aa555a0000000101" });
  });

  test.each([
    ["nothing", Buffer.alloc(0), "datagram/too-short"],
    ["a header that is one octet short", header(0).subarray(0, 11), "datagram/too-short"],
    ["version 0", header(0, 0), "datagram/version"],
    ["version 3", header(0, 3), "datagram/version"],
    ["PUSH_ACK, which only servers send", header(1), "datagram/type"],
    ["PULL_RESP, which only servers send", header(3), "datagram/type"],
    ["an unknown type", header(255), "datagram/type"],
    ["more than any forwarder sends", Buffer.concat([header(0), Buffer.alloc(mostOctets)]), "datagram/too-long"],
  ])("%s is refused", (_, octets, reason) => {
    expect(decodeDatagram(octets)).toEqual({ is: "refused", reason });
  });

  test("an acknowledgement has the version and the token that came, and 4 octets", () => {
    const acked = (type: number, version: number) => {
      const datagram = decodeDatagram(header(type, version));
      return datagram.is === "refused" ? "" : encodeAck(datagram).toString("hex");
    };
    expect([acked(0, 2), acked(2, 2), acked(2, 1)]).toEqual(["02beef01", "02beef04", "01beef04"]);
  });

  test.each([
    ["no JSON", "{", undefined],
    ["an array", "[]", undefined],
    ["null", "null", undefined],
    ["a number", "12", undefined],
    ["octets that are no UTF-8", "\xff\xfe", undefined],
    ["an object", '{"a":1}', { a: 1 }],
    ["a C string", '{"a":1}\0\0', { a: 1 }],
    ["nothing", "", "empty"],
    ["only NUL", "\0", "empty"],
  ])("body: %s", (_, text, expected) => {
    expect(readJson(Buffer.concat([header(0), Buffer.from(text, "latin1")]))).toEqual(expected);
  });

  test("deep nesting does not end the process", () => {
    const deep = "[".repeat(30_000);
    expect(readJson(Buffer.concat([header(0), Buffer.from(`{"rxpk":${deep}`)]))).toBeUndefined();
    expect(() =>
      readJson(Buffer.concat([header(0), Buffer.from(`{"rxpk":${deep}${"]".repeat(30_000)}}`)])),
    ).not.toThrow();
  });
});

const lora = {
  time: "2013-03-31T16:21:17.528002Z",
  tmst: 3512348611,
  chan: 2,
  rfch: 0,
  freq: 866.349812,
  stat: 1,
  modu: "LORA",
  datr: "SF7BW125",
  codr: "4/6",
  rssi: -35,
  lsnr: 5.1,
  size: 32,
  data: "VEVTVF9QQUNLRVRfMTIzNAFCAkMDRAQFBgcICQoLDA0=",
};

describe("rxpk", () => {
  test("LoRa: frequency in Hz, rounded", () => {
    expect(readRxpk(lora)).toEqual({
      phyPayload: lora.data,
      hz: 866_349_812,
      dataRate: "SF7BW125",
      codingRate: "4/6",
      tmst: 3512348611,
      antennas: [{ rssi: -35, snr: 5.1, channel: 2 }],
    });
    expect(readRxpk({ ...lora, freq: 868.1 })).toMatchObject({ hz: 868_100_000 });
    expect(readRxpk({ ...lora, freq: 868.099976 })).toMatchObject({ hz: 868_099_976 });
  });

  test("FSK: a number, no coding rate, no SNR", () => {
    const fsk = { tmst: 1, chan: 9, freq: 868.8, stat: 1, modu: "FSK", datr: 50000, rssi: -75, size: 3, data: "AQID" };
    expect(readRxpk(fsk)).toEqual({
      phyPayload: "AQID",
      hz: 868_800_000,
      dataRate: 50_000,
      tmst: 1,
      antennas: [{ rssi: -75, channel: 9 }],
    });
  });

  test("LR-FHSS: the coding rate tells DR8 from DR9", () => {
    expect(readRxpk({ ...lora, modu: "LR-FHSS", datr: "M0CW137", codr: "4/6", hpw: 52 })).toMatchObject({
      dataRate: "M0CW137",
      codingRate: "4/6",
    });
  });

  test("rsig: one hearing for each antenna", () => {
    const { rssi: _r, lsnr: _l, chan: _c, ...common } = lora;
    const rsig = [
      { ant: 0, chan: 7, rssic: -35, lsnr: 5.1, etime: "42QMzOlYSSPMMeqVPrY0fQ==", rssis: -36, foff: -8898 },
      { ant: 1, chan: 23, rssic: -40, lsnr: 4 },
    ];
    expect(readRxpk({ ...common, tmms: 1_234_567_890_123, rsig })).toMatchObject({
      gpsTimeMs: 1_234_567_890_123,
      antennas: [
        { antenna: 0, channel: 7, rssi: -35, snr: 5.1 },
        { antenna: 1, channel: 23, rssi: -40, snr: 4 },
      ],
    });
  });

  test("missing padding is added: equal frames are equal texts", () => {
    const unpadded = readRxpk({ ...lora, data: lora.data.replace("=", "") });
    expect(unpadded).toEqual(readRxpk(lora));
    expect(readRxpk({ ...lora, size: 1, data: "QQ" })).toMatchObject({ phyPayload: "QQ==" });
  });

  test.each([
    [null, "rxpk/not-an-object"],
    [[], "rxpk/not-an-object"],
    ["text", "rxpk/not-an-object"],
    [{}, "rxpk/tmst"],
    [{ ...lora, stat: -1 }, "rxpk/crc-bad"],
    [{ ...lora, stat: 0 }, "rxpk/no-crc"],
    [{ ...lora, tmst: -1 }, "rxpk/tmst"],
    [{ ...lora, tmst: 2 ** 32 }, "rxpk/tmst"],
    [{ ...lora, tmst: 1.5 }, "rxpk/tmst"],
    [{ ...lora, tmst: "1" }, "rxpk/tmst"],
    [{ ...lora, freq: 868_100_000 }, "rxpk/freq"],
    [{ ...lora, freq: "868.1" }, "rxpk/freq"],
    [{ ...lora, freq: 0 }, "rxpk/freq"],
    [{ ...lora, modu: "OOK" }, "rxpk/modu"],
    [{ ...lora, modu: undefined }, "rxpk/modu"],
    [{ ...lora, datr: "SF13BW125" }, "rxpk/datr"],
    [{ ...lora, datr: "SF7BW125\n" }, "rxpk/datr"],
    [{ ...lora, datr: 50000 }, "rxpk/datr"],
    [{ ...lora, modu: "FSK" }, "rxpk/datr"],
    [{ ...lora, modu: "FSK", datr: 0 }, "rxpk/datr"],
    [{ ...lora, modu: "LR-FHSS", datr: "M0CW100" }, "rxpk/datr"],
    [{ ...lora, modu: "LR-FHSS", datr: "M0CW137", codr: "4/5" }, "rxpk/codr"],
    [{ ...lora, codr: "9/9" }, "rxpk/codr"],
    [{ ...lora, codr: undefined }, "rxpk/codr"],
    [{ ...lora, rssi: "-35" }, "rxpk/rssi"],
    [{ ...lora, rssi: undefined }, "rxpk/rssi"],
    [{ ...lora, rssi: -1e9 }, "rxpk/rssi"],
    [{ ...lora, rsig: [] }, "rxpk/rssi"],
    [{ ...lora, rsig: [null] }, "rxpk/rssi"],
    [{ ...lora, rsig: [{ ant: 0 }] }, "rxpk/rssi"],
    [{ ...lora, data: undefined }, "rxpk/data"],
    [{ ...lora, data: "" }, "rxpk/data"],
    [{ ...lora, data: "A" }, "rxpk/data"],
    [{ ...lora, data: "AAAAA" }, "rxpk/data"],
    [{ ...lora, data: "A*==" }, "rxpk/data"],
    [{ ...lora, data: "AB==" }, "rxpk/data"],
    [{ ...lora, data: "AAB=" }, "rxpk/data"],
    [{ ...lora, data: "====" }, "rxpk/data"],
    [{ ...lora, data: "AA==AA==" }, "rxpk/data"],
    [{ ...lora, data: "AQID\n" }, "rxpk/data"],
    [{ ...lora, data: "A".repeat(344) }, "rxpk/data"],
    [{ ...lora, size: 31 }, "rxpk/size"],
    [{ ...lora, size: "32" }, "rxpk/size"],
  ])("%j is refused: %s", (rxpk, reason) => {
    expect(readRxpk(rxpk)).toBe(reason);
  });

  test("255 octets is the longest PHYPayload", () => {
    expect(readRxpk({ ...lora, size: 255, data: "A".repeat(340) })).toMatchObject({ phyPayload: "A".repeat(340) });
  });

  test("whatever JSON says, there is an outcome and no exception", () => {
    const field = fc.oneof(fc.jsonValue(), fc.constantFrom(...Object.values(lora)));
    const frame = fc.record(Object.fromEntries(Object.keys(lora).map((key) => [key, field])), { requiredKeys: [] });
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), frame), (value) => {
        const read = readRxpk(value);
        expect(typeof read === "string" ? read : read.phyPayload).toMatch(/^(rxpk\/|[A-Za-z0-9+/]+=*$)/);
      }),
      { numRuns: 2_000 },
    );
  });

  test("size of base64 text equals the octets that it stands for", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 255 }), (octets) => {
        const data = Buffer.from(octets).toString("base64");
        expect(octetsOf(data)).toBe(octets.length);
        expect(readRxpk({ ...lora, size: octets.length, data })).toMatchObject({ phyPayload: data });
      }),
    );
  });
});

test("stat: the place, unless there is no fix", () => {
  expect(readStat({ lati: 46.24, long: 3.2523, alti: 145, rxnb: 2 })).toEqual({
    location: { latitude: 46.24, longitude: 3.2523, altitude: 145 },
  });
  for (const place of [{}, { lati: 0, long: 0 }, { lati: 91, long: 0 }, { lati: "1", long: 2 }])
    expect(readStat(place)).toEqual({});
  for (const none of [null, [], "x", 3]) expect(readStat(none)).toBeUndefined();
  expect(hasMoved({ latitude: 1, longitude: 2 }, { latitude: 1.0005, longitude: 2 })).toBe(false);
  expect(hasMoved({ latitude: 1, longitude: 2 }, { latitude: 1, longitude: 2.002 })).toBe(true);
  expect(hasMoved(undefined, { latitude: 1, longitude: 2 })).toBe(true);
});

test("TX_ACK: an empty body means accepted, a warning too, an error says which", () => {
  for (const yes of [
    "empty",
    {},
    { txpk_ack: {} },
    { txpk_ack: { error: "NONE" } },
    { txpk_ack: { warn: "TX_POWER", value: 20 } },
  ] as const)
    expect(readTxAck(yes)).toEqual({ is: "accepted" });
  expect(readTxAck({ txpk_ack: { error: "COLLISION_PACKET" } })).toEqual({ is: "error", error: "COLLISION_PACKET" });
  for (const none of [
    undefined,
    { txpk_ack: null },
    { x: 1 },
    { txpk_ack: { error: 3 } },
    { txpk_ack: { error: "a b" } },
  ])
    expect(readTxAck(none)).toBeUndefined();
});

describe("PULL_RESP", () => {
  const window = { delayUs: 0, hz: 869_525_000, dataRate: "SF9BW125", codingRate: "4/5", eirpDbm: 29.15 };
  const read = (octets: Buffer) => ({
    head: octets.toString("hex", 0, 4),
    ...JSON.parse(octets.toString("utf8", 4)).txpk,
  });

  test("LoRa: inverted polarity, no CRC, the power as given", () => {
    const octets = encodePullResp(2, 0xbeef, { tmst: 7, window, phyPayload: "AQID", power: 24 });
    expect(read(octets)).toEqual({
      head: "02beef03",
      imme: false,
      tmst: 7,
      freq: 869.525,
      rfch: 0,
      powe: 24,
      modu: "LORA",
      datr: "SF9BW125",
      codr: "4/5",
      ipol: true,
      ncrc: true,
      size: 3,
      data: "AQID",
    });
  });

  test("FSK: a bit rate and its deviation, and with a CRC", () => {
    const fsk = { ...window, dataRate: 50_000 };
    const octets = encodePullResp(2, 1, { tmst: 7, window: fsk, phyPayload: "AQID", power: 14 });
    expect(read(octets)).toMatchObject({ modu: "FSK", datr: 50_000, fdev: 25_000 });
    expect(read(octets)).not.toHaveProperty("ncrc");
  });

  test("power is EIRP less antenna gain, rounded down, except for what binary fractions lose", () => {
    expect([powerDbm(16.15, 2.15), powerDbm(16, 2.15), powerDbm(29.15, 2.15), powerDbm(36, 0)]).toEqual([
      14, 13, 27, 27,
    ]);
  });
});
