/**
 * Application layer clock synchronisation: package 1 on FPort 202.
 *
 * Spec: TS003-1.0.0, TS003-2.0.0 (same octets; ForceDeviceResyncReq is called …Cmd in 2.0.0)
 */
import { flag, int, uint } from "../mac/fields.ts";
import { type Command, command, commandCodec } from "../mac/table.ts";

export const clockSyncFPort = 202;

export const clockSyncUplinkCommands = {
  PackageVersionAns: command(0x00, 2, { packageIdentifier: uint(0, 8), packageVersion: uint(8, 8) }),
  /** `deviceTime`: seconds since the GPS epoch, modulo 2^32. */
  AppTimeReq: command(0x01, 5, { deviceTime: uint(0, 32), tokenReq: uint(32, 4), ansRequired: flag(36) }),
  DeviceAppTimePeriodicityAns: command(0x02, 5, { notSupported: flag(0), time: uint(8, 32) }),
} as const;
export const clockSyncDownlinkCommands = {
  PackageVersionReq: command(0x00, 0, {}),
  AppTimeAns: command(0x01, 5, { timeCorrection: int(0, 32), tokenAns: uint(32, 4) }),
  /** Every 128 · 2^period s, give or take 30 s. */
  DeviceAppTimePeriodicityReq: command(0x02, 1, { period: uint(0, 4) }),
  ForceDeviceResyncReq: command(0x03, 1, { nbTransmissions: uint(0, 3) }),
} as const;

export type ClockSyncUplinkCommand = Command<typeof clockSyncUplinkCommands>;
export type ClockSyncDownlinkCommand = Command<typeof clockSyncDownlinkCommands>;
export const clockSyncUplink = commandCodec(clockSyncUplinkCommands);
export const clockSyncDownlink = commandCodec(clockSyncDownlinkCommands);
