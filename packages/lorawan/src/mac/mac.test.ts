import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as lorawan from "../index.ts";
import {
  type DownlinkCommand,
  decodeDownlinkCommands,
  decodeUplinkCommands,
  encodeDownlinkCommand,
  encodeUplinkCommand,
  fromHex,
  toHex,
  type UplinkCommand,
} from "../index.ts";
import { downlinkCommands } from "./downlink-commands.ts";
import { flag, int, level, uint } from "./fields.ts";
import { type CommandCodec, command, concat, type Table } from "./table.ts";
import { uplinkCommands } from "./uplink-commands.ts";

const octets = (text: string): Uint8Array => fromHex(text.replaceAll(" ", "")) ?? expect.fail(text);

/** Names and CIDs as the specifications list them (TS001-1.0.4 §5; LoRaWAN 1.1 §5; TS011). */
const cids: readonly [cid: number, up: string | undefined, down: string | undefined][] = [
  [0x01, "ResetInd", "ResetConf"],
  [0x02, "LinkCheckReq", "LinkCheckAns"],
  [0x03, "LinkADRAns", "LinkADRReq"],
  [0x04, "DutyCycleAns", "DutyCycleReq"],
  [0x05, "RXParamSetupAns", "RXParamSetupReq"],
  [0x06, "DevStatusAns", "DevStatusReq"],
  [0x07, "NewChannelAns", "NewChannelReq"],
  [0x08, "RXTimingSetupAns", "RXTimingSetupReq"],
  [0x09, "TxParamSetupAns", "TxParamSetupReq"],
  [0x0a, "DlChannelAns", "DlChannelReq"],
  [0x0b, "RekeyInd", "RekeyConf"],
  [0x0c, "ADRParamSetupAns", "ADRParamSetupReq"],
  [0x0d, "DeviceTimeReq", "DeviceTimeAns"],
  [0x0e, undefined, "ForceRejoinReq"],
  [0x0f, "RejoinParamSetupAns", "RejoinParamSetupReq"],
  [0x10, "PingSlotInfoReq", "PingSlotInfoAns"],
  [0x11, "PingSlotChannelAns", "PingSlotChannelReq"],
  [0x12, "BeaconTimingReq", "BeaconTimingAns"],
  [0x13, "BeaconFreqAns", "BeaconFreqReq"],
  [0x20, "DeviceModeInd", "DeviceModeConf"],
  [0x40, "RelayConfAns", "RelayConfReq"],
  [0x41, "EndDeviceConfAns", "EndDeviceConfReq"],
  [0x42, "FilterListAns", "FilterListReq"],
  [0x43, "UpdateUplinkListAns", "UpdateUplinkListReq"],
  [0x44, "CtrlUplinkListAns", "CtrlUplinkListReq"],
  [0x45, "ConfigureFwdLimitAns", "ConfigureFwdLimitReq"],
  [0x46, "NotifyNewEndDeviceReq", undefined],
];

test("both directions have every command of 1.0.x, 1.1 and the relay, under its CID", () => {
  const rows = (table: Table) => Object.entries(table).map(([name, { cid }]) => [cid, name]);
  expect(rows(uplinkCommands)).toEqual(cids.flatMap(([cid, up]) => (up ? [[cid, up]] : [])));
  expect(rows(downlinkCommands)).toEqual(cids.flatMap(([cid, , down]) => (down ? [[cid, down]] : [])));
});

/** What is written of a command that was read from any octets reads as the same command. */
function roundTrips<C extends { readonly name: string }>(table: Table, { decode, encode }: CommandCodec<C>): void {
  for (const [name, row] of Object.entries(table)) {
    let read = 0;
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 30, maxLength: 30 }), (random) => {
        const [first] = decode(Uint8Array.of(row.cid, ...random)).commands;
        if (!first) return; // of variable length, and too long
        read++;
        expect(first.name).toBe(name);
        expect(decode(encode(first))).toEqual({ commands: [first], rest: new Uint8Array() });
        const size = encode(first).length;
        for (let length = 0; length < size; length++)
          expect(decode(encode(first).subarray(0, length)).commands).toEqual([]);
      }),
      { numRuns: 60 },
    );
    expect(read, name).toBeGreaterThan(0);
  }
}
describe("every command reads back, and cut off it is no command", () => {
  const codec = <C>(decode: CommandCodec<C>["decode"], encode: CommandCodec<C>["encode"]): CommandCodec<C> => ({
    decode,
    encode,
  });
  test("MAC commands of the device", () =>
    roundTrips(uplinkCommands, codec<UplinkCommand>(decodeUplinkCommands, encodeUplinkCommand)));
  test("MAC commands of the network", () =>
    roundTrips(downlinkCommands, codec<DownlinkCommand>(decodeDownlinkCommands, encodeDownlinkCommand)));
  test("TS003", () => {
    roundTrips(lorawan.clockSyncUplinkCommands, lorawan.clockSyncUplink);
    roundTrips(lorawan.clockSyncDownlinkCommands, lorawan.clockSyncDownlink);
  });
  test("TS005", () => {
    const { McGroupStatusAns: _, ...fixed } = lorawan.multicastSetupUplinkCommands;
    roundTrips(fixed, lorawan.multicastSetupUplink);
    roundTrips(lorawan.multicastSetupDownlinkCommands, lorawan.multicastSetupDownlink);
  });
  test("TS004 without DataFragment, which takes what is left", () => {
    const { DataFragment: _1, ...down1 } = lorawan.fragmentation1DownlinkCommands;
    const { DataFragment: _2, ...down2 } = lorawan.fragmentation2DownlinkCommands;
    roundTrips(lorawan.fragmentation1UplinkCommands, lorawan.fragmentation1Uplink);
    roundTrips(lorawan.fragmentation2UplinkCommands, lorawan.fragmentation2Uplink);
    roundTrips(down1, lorawan.fragmentation1Downlink);
    roundTrips(down2, lorawan.fragmentation2Downlink);
  });
});

/**
 * What the octets of published.json mean: the values are those of the same source (chirpstack, lrwn/src/maccommand.rs),
 * under the specification's names.
 */
const meanings: readonly [direction: "up" | "down", hex: string, values: Record<string, unknown>][] = [
  ["up", "0101", { minor: 1 }],
  ["down", "020a0f", { margin: 10, gwCnt: 15 }],
  ["down", "0312040045", { dataRate: 1, txPower: 2, chMask: 4, chMaskCntl: 4, nbTrans: 5 }],
  ["up", "0301", { channelMaskAck: true, dataRateAck: false, powerAck: false }],
  ["up", "0302", { channelMaskAck: false, dataRateAck: true, powerAck: false }],
  ["down", "040d", { maxDutyCycle: 13 }],
  ["down", "053b010204", { frequency: 26_265_700, rx2DataRate: 11, rx1DrOffset: 3 }],
  ["up", "0505", { channelAck: true, rx2DataRateAck: false, rx1DrOffsetAck: true }],
  ["up", "06ff1e", { battery: 255, snr: 30 }],
  ["up", "067f3f", { battery: 127, snr: -1 }],
  ["down", "07030102045a", { chIndex: 3, frequency: 26_265_700, maxDr: 5, minDr: 10 }],
  ["down", "070350deb750", { chIndex: 3, frequency: 2_410_000_000, maxDr: 5, minDr: 0 }],
  ["up", "0701", { channelFrequencyOk: true, dataRateRangeOk: false }],
  ["down", "080f", { delay: 15 }],
  ["down", "091f", { uplinkDwellTime: true, downlinkDwellTime: false, maxEirp: 15 }],
  ["down", "092f", { uplinkDwellTime: false, downlinkDwellTime: true, maxEirp: 15 }],
  ["down", "0a01107a84", { chIndex: 1, frequency: 868_200_000 }],
  ["up", "0a01", { channelFrequencyOk: true, uplinkFrequencyExists: false }],
  ["down", "0caf", { limitExp: 10, delayExp: 15 }],
  ["down", "0d0100000002", { seconds: 1, fraction: 2 }],
  ["down", "0e251c", { period: 3, maxRetries: 4, rejoinType: 2, dataRate: 5 }],
  ["down", "0fef", { maxTimeN: 14, maxCountN: 15 }],
  ["up", "1003", { periodicity: 3 }],
  ["down", "1128768405", { frequency: 868_100_000, dataRate: 5 }],
  ["up", "1101", { channelFrequencyOk: true, dataRateOk: false }],
  ["down", "13287684", { frequency: 868_100_000 }],
  ["up", "2002", { class: 2 }],
  [
    "down",
    "40a52c287684",
    {
      startStop: 1,
      cadPeriodicity: 3,
      defaultChIdx: 0,
      secondChIdx: 1,
      secondChDr: 4,
      secondChAckOffset: 5,
      secondChFreq: 868_100_000,
    },
  ],
  [
    "up",
    "4015",
    {
      secondChFreqAck: true,
      secondChAckOffsetAck: false,
      secondChDrAck: true,
      secondChIdxAck: false,
      defaultChIdxAck: true,
      cadPeriodicityAck: false,
    },
  ],
  [
    "down",
    "410ba57e287684",
    {
      secondChFreq: 868_100_000,
      secondChAckOffset: 5,
      secondChDr: 4,
      secondChIdx: 1,
      backOff: 63,
      relayModeActivation: 2,
      smartEnableLevel: 3,
    },
  ],
  ["up", "410d", { secondChFreqAck: true, secondChDrAck: false, secondChIdxAck: true, backOffAck: true }],
  ["down", "42b00102020304050607080807060504030201", { filterListIdx: 3, filterListAction: 1 }],
  ["up", "4202", { filterListActionAck: false, filterListLenAck: true, combinedRulesAck: false }],
  [
    "down",
    "4303bc040302018000000001020304050607080102030405060708",
    { uplinkListIdx: 3, reloadRate: 60, bucketSize: 2, devAddr: "01020304", wFCnt: 128 },
  ],
  ["down", "4413", { uplinkListIdx: 3, ctrlUplinkAction: 1 }],
  ["up", "440180000000", { uplinkListIdxAck: true, wFCnt: 128 }],
  [
    "down",
    "45642dd438da",
    {
      overallReloadRate: 100,
      globalUplinkReloadRate: 90,
      notifyReloadRate: 80,
      joinReqReloadRate: 70,
      resetLimitCounter: 3,
      overallLimitSize: 2,
      globalUplinkLimitSize: 2,
      notifyLimitSize: 1,
      joinReqLimitSize: 3,
    },
  ],
  ["up", "46040302012a0d", { devAddr: "01020304", worSnr: -10, worRssi: -120 }],
];
test.each(meanings)("%s %s", (direction, hex, values) => {
  const [first] =
    direction === "up" ? decodeUplinkCommands(octets(hex)).commands : decodeDownlinkCommands(octets(hex)).commands;
  expect(first).toMatchObject(values);
});

describe("streams (TS001-1.0.4 §5)", () => {
  test("commands follow each other without lengths", () => {
    const stream = octets("02 0307 060022 0d");
    expect(decodeUplinkCommands(stream)).toEqual({
      commands: [
        { name: "LinkCheckReq" },
        { name: "LinkADRAns", channelMaskAck: true, dataRateAck: true, powerAck: true },
        { name: "DevStatusAns", battery: 0, snr: -30 },
        { name: "DeviceTimeReq" },
      ],
      rest: new Uint8Array(),
    });
    expect(toHex(concat(decodeUplinkCommands(stream).commands.map(encodeUplinkCommand)))).toBe(toHex(stream));
  });
  test.each([
    ["02 80 aa 02", 1, "80aa02"],
    ["06 01", 0, "0601"],
    ["ff", 0, "ff"],
    ["", 0, ""],
  ])("%s: an unknown or cut-off command ends it, and is kept", (stream, count, rest) => {
    const read = decodeUplinkCommands(octets(stream));
    expect(read.commands).toHaveLength(count);
    expect(toHex(read.rest)).toBe(rest);
  });
  test("no octets make a decoder throw or lose any", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (random) => {
        for (const { decode } of [
          { decode: decodeUplinkCommands },
          { decode: decodeDownlinkCommands },
          lorawan.clockSyncUplink,
          lorawan.fragmentation2Downlink,
          lorawan.multicastSetupUplink,
        ]) {
          const { rest } = decode(random) as { rest: Uint8Array };
          expect(toHex(random).endsWith(toHex(rest))).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });
  test("a filter rule longer than two EUIs ends the stream (TS011)", () => {
    expect(decodeDownlinkCommands(octets(`42 b100 ${"00".repeat(17)}`)).commands).toEqual([]);
    // 8 to 15 octets are possible too: the length has five bits.
    expect(decodeDownlinkCommands(octets(`42 0800 ${"11".repeat(8)}`)).commands).toMatchObject([
      { filterListEui: new Uint8Array(8).fill(0x11) },
    ]);
  });
});

describe("values", () => {
  test("what would not read back is refused, never truncated", () => {
    expect(() => encodeUplinkCommand({ name: "DevStatusAns", battery: 0, snr: -33 })).toThrow(RangeError);
    expect(() => encodeUplinkCommand({ name: "DevStatusAns", battery: 256, snr: 0 })).toThrow(RangeError);
    expect(() => encodeUplinkCommand({ name: "DevStatusAns", battery: 1.5, snr: 0 })).toThrow(RangeError);
    expect(() => encodeDownlinkCommand({ name: "BeaconFreqReq", frequency: 868_100_050 })).toThrow(RangeError);
    expect(() =>
      encodeDownlinkCommand({ name: "NewChannelReq", chIndex: 3, frequency: 868_100_000, minDr: 16, maxDr: 5 }),
    ).toThrow(RangeError);
    expect(() => encodeDownlinkCommand({ name: "DeviceTimeAns", seconds: 2 ** 32, fraction: 0 })).toThrow(RangeError);
  });
  test("a command of the other direction, or without its fields, does not compile and is refused", () => {
    // @ts-expect-error LinkADRReq goes down
    expect(() => encodeUplinkCommand({ name: "LinkADRReq" })).toThrow(RangeError);
    // @ts-expect-error margin and gwCnt are missing
    expect(() => encodeDownlinkCommand({ name: "LinkCheckAns" })).toThrow(RangeError);
  });
  test("a field does not disturb its neighbours, wherever it sits", () => {
    fc.assert(
      fc.property(fc.nat(9), fc.integer({ min: 1, max: 30 }), fc.nat(), (at, width, random) => {
        const value = random % 2 ** width;
        const row = command(0, 8, { before: uint(0, at), it: uint(at, width), after: flag(at + width) });
        const written = row.write({ before: 2 ** at - 1, it: value, after: true });
        expect(row.read(written, 0, 8)).toEqual({ before: 2 ** at - 1, it: value, after: true });
      }),
    );
    expect(command(0, 1, { it: int(1, 6) }).read(Uint8Array.of(0x40), 0, 1)).toEqual({ it: -32 });
    expect(toHex(command(0, 1, { it: level(0, 7, -15, -1) }).write({ it: -142 }))).toBe("7f");
  });
});

test("TS004-2.0.0: parity lines, coded fragments, MIC of the block", () => {
  const line = (n: number, m: number, version: lorawan.FecVersion) =>
    lorawan.parityLine(n, m, version).map(Number).join("");
  expect([line(1, 10, 1), line(1, 10, 2), line(1, 16, 2)]).toEqual(["0010010000", "0111010001", "1110110000100101"]);
  const data = Uint8Array.from({ length: 100 }, (_, i) => i);
  const coded = lorawan.encodeFragments(data, 10, 10, 2).slice(10).map(toHex);
  expect([coded[0], coded[1], coded[9]]).toEqual([
    "686952535c5d76777071",
    "5455565758596a6b7c7d",
    "00013a3b44457e7f6869",
  ]);
  const key = lorawan.deriveDataBlockIntKey(octets("0302030405060708090a0b0c0d0e0f10"));
  const block = { sessionCnt: 7, fragIndex: 1, descriptor: octets("01020304") };
  expect(toHex(lorawan.dataBlockMic(key, block, data))).toBe("85dc6853");
});
