import { decodeDownlinkCommands, rules, type UplinkCommand } from "@trefoil/lorawan";
import { expect, test } from "vitest";
import { answerCommands, linkMargin, type MacContext } from "./answers.ts";
import { gpsMsOfUnixMs } from "./gps-time.ts";

const context = (more: Partial<MacContext> = {}): MacContext => ({
  rules: rules("1.1"),
  joined: true,
  marginDb: 12.9,
  gateways: 3,
  gpsTimeMs: 1_000_500,
  ...more,
});
const answers = (commands: UplinkCommand[], more?: Partial<MacContext>) =>
  answerCommands(commands, context(more)).flatMap((octets) => decodeDownlinkCommands(octets).commands);

test("LinkCheckReq is answered with margin and number of gateways (TS001-1.0.4 §5.1)", () => {
  expect(answers([{ name: "LinkCheckReq" }])).toEqual([{ name: "LinkCheckAns", margin: 12, gwCnt: 3 }]);
  expect(answers([{ name: "LinkCheckReq" }], { marginDb: -3, gateways: 900 })).toEqual([
    { name: "LinkCheckAns", margin: 0, gwCnt: 255 },
  ]);
});

test("DeviceTimeReq is answered with GPS seconds and 1/256 s (TS001-1.0.4 §5.9), from 1.0.3 on", () => {
  expect(answers([{ name: "DeviceTimeReq" }])).toEqual([{ name: "DeviceTimeAns", seconds: 1_000, fraction: 128 }]);
  expect(answers([{ name: "DeviceTimeReq" }], { rules: rules("1.0.2") })).toEqual([]);
});

test("GPS time at the Unix second 1,700,000,000 is 1,384,035,218 (18 leap seconds)", () => {
  expect(gpsMsOfUnixMs(1_700_000_000_000)).toBe(1_384_035_218_000);
});

test("RekeyInd after a join gets RekeyConf, ResetInd of a personalised device ResetConf, with the lower minor version (LoRaWAN 1.1 §5.1, §5.10)", () => {
  expect(answers([{ name: "RekeyInd", minor: 3 }])).toEqual([{ name: "RekeyConf", minor: 1 }]);
  expect(answers([{ name: "RekeyInd", minor: 1 }], { joined: false })).toEqual([]);
  expect(answers([{ name: "ResetInd", minor: 1 }], { joined: false })).toEqual([{ name: "ResetConf", minor: 1 }]);
  expect(answers([{ name: "ResetInd", minor: 1 }])).toEqual([]);
  expect(answers([{ name: "RekeyInd", minor: 1 }], { rules: rules("1.0.4") })).toEqual([]);
});

test("each kind of request is answered once, so that all answers fit FOpts", () => {
  const all: UplinkCommand[] = [{ name: "LinkCheckReq" }, { name: "DeviceTimeReq" }, { name: "RekeyInd", minor: 1 }];
  const octets = answerCommands([...all, ...all, ...all], context());
  expect(octets).toHaveLength(3);
  expect(octets.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(15);
});

test("the margin counts from the demodulation floor of the spreading factor", () => {
  expect(linkMargin(-5, 12)).toBe(15);
  expect(linkMargin(-5, 7)).toBe(2.5);
  expect(linkMargin(undefined, 7)).toBe(0);
});
