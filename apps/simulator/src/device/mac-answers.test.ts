import { describe, expect, test } from "vitest";
import { decodeNetworkCommands, encodeDeviceCommands } from "../mac-commands.ts";
import { fromHex, toHex } from "../octets.ts";
import { seededRandom } from "../random.ts";
import { regions } from "../regions/index.ts";
import { usable } from "./channels.ts";
import { answerCommands, type MacContext } from "./mac-answers.ts";
import { defaultSettings, type Settings } from "./settings.ts";
import { type MacVersion, rules } from "./versions.ts";

const context = (version: MacVersion = "1.0.4", region = regions.EU868): MacContext => ({
  region,
  rules: rules[version],
  battery: 254,
  snr: -7.4,
});
const run = (hex: string, settings: Settings = defaultSettings(regions.EU868, 5), where = context()) => {
  const outcome = answerCommands(settings, decodeNetworkCommands(fromHex(hex)).commands, where);
  return { ...outcome, answered: toHex(encodeDeviceCommands(outcome.answers, 99)) };
};
const enabled = ({ channels }: Settings) => channels.flatMap((channel, index) => (channel?.enabled ? [index] : []));

describe("LinkADRReq (TS001-1.0.4 §5.2)", () => {
  test("sets data rate, power, channels and NbTrans", () => {
    const { settings, answered } = run("0332050003");
    expect(answered).toBe("0307");
    expect(settings).toMatchObject({ dr: 3, txPowerIndex: 2, nbTrans: 3 });
    expect(enabled(settings)).toEqual([0, 2]);
  });
  test.each([
    ["no channel at all", "0352000001", "0306"],
    ["a channel that is not defined", "0352080001", "0306"],
    ["an RFU ChMaskCntl", "0352070031", "0306"],
    ["a data rate that no channel carries", "03f20700010372070001", "03050305"],
    ["a power that does not exist", "0359070001", "0303"],
  ])("with %s changes nothing and says what was wrong", (_, hex, expected) => {
    const before = defaultSettings(regions.EU868, 5);
    const { settings, answered } = run(hex, before, context("1.0.3"));
    expect(answered).toBe(expected);
    expect(settings).toEqual(before);
  });
  test("neighbours are one block: the last one's data rate counts, each gets an answer, all alike", () => {
    const { settings, answered } = run("0352010001" + "0341030001" + "06");
    expect(answered).toBe("03070307" + "06fe39");
    expect(settings).toMatchObject({ dr: 4, txPowerIndex: 1 });
    expect(enabled(settings)).toEqual([0, 1]);
  });
  test("15 keeps what is, from 1.0.4 on", () => {
    const before = { ...defaultSettings(regions.EU868, 2), txPowerIndex: 4 };
    expect(run("03ff070001", before).settings).toMatchObject({ dr: 2, txPowerIndex: 4 });
    expect(run("03ff070001", before, context("1.0.3")).answered).toBe("0301");
  });
  test("ChMaskCntl 6 turns all defined channels on", () => {
    const few = run("0350010001").settings;
    expect(enabled(few)).toEqual([0]);
    expect(enabled(run("0350000061", few).settings)).toEqual([0, 1, 2]);
  });
  test("in US915 masks address 64 narrow and 8 wide channels (RP002-1.0.4 §2.5)", () => {
    const us = context("1.0.4", regions.US915);
    const all = defaultSettings(regions.US915, 3);
    const second = run("0330020071" + "033000ff01", all, us);
    expect(second.answered).toBe("03070307");
    expect(enabled(second.settings)).toEqual([8, 9, 10, 11, 12, 13, 14, 15, 65]);
    expect(usable(second.settings.channels, 4)).toEqual([65]);
    expect(enabled(run("0330020051", all, us).settings)).toEqual([8, 9, 10, 11, 12, 13, 14, 15, 65]);
  });
});

test.each([
  ["RXParamSetupReq", "05 23 d2ad84", "0507", { rx1DrOffset: 2, rx2: { hz: 869_525_000, dr: 3 } }],
  ["RXParamSetupReq with a wrong frequency", "05 23 000001", "0506", { rx1DrOffset: 0, rx2: regions.EU868.rx2 }],
  ["RXParamSetupReq with a wrong data rate", "05 2f d2ad84", "0505", { rx1DrOffset: 0 }],
  ["RXParamSetupReq with a wrong offset", "05 63 d2ad84", "0503", { rx1DrOffset: 0 }],
  ["RXTimingSetupReq", "08 05", "08", { rxDelayS: 5 }],
  ["RXTimingSetupReq 0", "08 00", "08", { rxDelayS: 1 }],
  ["DutyCycleReq", "04 07", "04", { maxDutyCycle: 7 }],
  ["DevStatusReq", "06", "06fe39", {}],
  ["ADRParamSetupReq", "0c 54", "0c", { adrAckLimit: 32, adrAckDelay: 16 }],
  ["RejoinParamSetupReq", "0f 11", "0f00", {}],
  ["TxParamSetupReq, which EU868 does not have", "09 05", "", {}],
])("%s is answered as the specification says (TS001-1.0.4 §5, TS001-1.1 §5)", (_, hex, expected, settings) => {
  const outcome = run(hex.replaceAll(" ", ""));
  expect(outcome.answered).toBe(expected);
  expect(outcome.settings).toMatchObject(settings);
});

describe("channels (TS001-1.0.4 §5.6, §5.10)", () => {
  test("NewChannelReq adds, changes and removes, but never a default channel", () => {
    const added = run("07 03 184f84 50".replaceAll(" ", ""));
    expect(added.answered).toBe("0703");
    expect(added.settings.channels[3]).toMatchObject({ hz: 867_100_000, minDr: 0, maxDr: 5, enabled: true });
    expect(run("0703000000" + "50", added.settings).settings.channels[3]).toBeUndefined();
    expect(run("0701184f8450").answered).toBe("0700");
    expect(run("0703000001" + "50").answered).toBe("0702");
    expect(run("0703184f8405").answered).toBe("0701");
  });
  test("DlChannelReq moves RX1 of a channel that exists", () => {
    const moved = run("0a01184f84");
    expect(moved.answered).toBe("0a03");
    expect(moved.settings.channels[1]).toMatchObject({ hz: 868_300_000, downlinkHz: 867_100_000 });
    expect(run("0a07184f84").answered).toBe("0a01");
    expect(run("0a01000001").answered).toBe("0a02");
  });
});

test("the first unknown or cut-off command ends the stream and is kept", () => {
  const { commands, rest } = decodeNetworkCommands(fromHex("0680aa06"));
  expect(commands.map(({ name }) => name)).toEqual(["DevStatusReq"]);
  expect(toHex(rest)).toBe("80aa06");
  expect(decodeNetworkCommands(fromHex("0352")).rest).toEqual(fromHex("0352"));
});

test("no commands at all make the answers throw", () => {
  const random = seededRandom("mac");
  for (let i = 0; i < 3000; i++) {
    const octets = Uint8Array.from({ length: random.int(30) }, () =>
      random.next() < 0.5 ? random.int(0x12) : random.int(256),
    );
    const version = random.pick(["1.0.3", "1.0.4", "1.1"] as const);
    const region = random.pick([regions.EU868, regions.US915]);
    const { settings } = answerCommands(
      defaultSettings(region, 3),
      decodeNetworkCommands(octets).commands,
      context(version, region),
    );
    // Whatever came, the device can still speak and listen.
    expect(usable(settings.channels, settings.dr).length).toBeGreaterThan(0);
    expect(region.rates[settings.rx2.dr]).toBeDefined();
  }
});
