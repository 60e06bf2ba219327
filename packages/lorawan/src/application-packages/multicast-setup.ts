/**
 * Remote multicast setup: package 2 on FPort 200. Its keys are in crypto/derive.ts. Frequencies are in Hz.
 *
 * Spec: TS005-1.0.0, TS005-2.0.0 (2.0.0 adds "start missed" to the session answers)
 */
import { bitSet, devAddrAt, flag, frequency, octetsAt, uint } from "../mac/fields.ts";
import { type Command, command, commandCodec, concat, type Row } from "../mac/table.ts";
import type { DevAddr } from "../octets/identifiers.ts";

export const multicastSetupFPort = 200;

type McGroupStatusAns = {
  readonly nbTotalGroups: number;
  readonly groups: readonly { readonly mcGroupId: number; readonly mcAddr: DevAddr }[];
};
const status = command(0x01, 1, { ansGroupMask: bitSet(0, 4), nbTotalGroups: uint(4, 3) });
const group = command(0x01, 5, { mcGroupId: uint(0, 2), mcAddr: devAddrAt(1) });
/** One entry follows per bit of the mask, lowest group first or not: an entry names its group. */
const mcGroupStatusAns: Row<McGroupStatusAns> = {
  cid: 0x01,
  sizeAt: (octets, at) => 1 + 5 * status.read(octets, at, 1).ansGroupMask.length,
  read: (octets, at, size) => ({
    nbTotalGroups: status.read(octets, at, 1).nbTotalGroups,
    groups: Array.from({ length: (size - 1) / 5 }, (_, i) => group.read(octets, at + 1 + 5 * i, 5)),
  }),
  write: ({ nbTotalGroups, groups }) =>
    concat([
      status.write({ nbTotalGroups, ansGroupMask: groups.map(({ mcGroupId }) => mcGroupId) }),
      ...groups.map((entry) => group.write(entry)),
    ]),
};

type SessionAns = {
  readonly mcGroupId: number;
  readonly drError: boolean;
  readonly freqError: boolean;
  readonly mcGroupUndefined: boolean;
  /** TS005-2.0.0 alone. */
  readonly startMissed: boolean;
  /** Seconds; undefined when the session was refused. */
  readonly timeToStart: number | undefined;
};
const sessionStatus = command(0, 1, {
  mcGroupId: uint(0, 2),
  drError: flag(2),
  freqError: flag(3),
  mcGroupUndefined: flag(4),
  startMissed: flag(5),
});
const timeToStart = uint(8, 24);
/** Any error bit means that TimeToStart is absent. */
const sessionAns = (cid: number): Row<SessionAns> => ({
  cid,
  sizeAt: (octets, at) => (((octets[at] ?? 0) & 0x3c) === 0 ? 4 : 1),
  read: (octets, at, size) => ({
    ...sessionStatus.read(octets, at, 1),
    timeToStart: size === 4 ? timeToStart.read(octets, at) : undefined,
  }),
  write: ({ timeToStart: seconds, ...values }) => {
    const refused = values.drError || values.freqError || values.mcGroupUndefined || values.startMissed;
    if (refused !== (seconds === undefined))
      throw new RangeError("TimeToStart goes with a session that was not refused");
    const octets = new Uint8Array(refused ? 1 : 4);
    octets.set(sessionStatus.write(values));
    if (seconds !== undefined) timeToStart.write(octets, 0, seconds);
    return octets;
  },
});

export const multicastSetupUplinkCommands = {
  PackageVersionAns: command(0x00, 2, { packageIdentifier: uint(0, 8), packageVersion: uint(8, 8) }),
  McGroupStatusAns: mcGroupStatusAns,
  McGroupSetupAns: command(0x02, 1, { mcGroupId: uint(0, 2), idError: flag(2) }),
  McGroupDeleteAns: command(0x03, 1, { mcGroupId: uint(0, 2), mcGroupUndefined: flag(2) }),
  McClassCSessionAns: sessionAns(0x04),
  McClassBSessionAns: sessionAns(0x05),
} as const;

export const multicastSetupDownlinkCommands = {
  PackageVersionReq: command(0x00, 0, {}),
  McGroupStatusReq: command(0x01, 1, { reqGroupMask: bitSet(0, 4) }),
  /** A frame is taken when minMcFCnt ≤ its counter < maxMcFCnt. */
  McGroupSetupReq: command(0x02, 29, {
    mcGroupId: uint(0, 2),
    mcAddr: devAddrAt(1),
    mcKeyEncrypted: octetsAt(5, 16),
    minMcFCnt: uint(168, 32),
    maxMcFCnt: uint(200, 32),
  }),
  McGroupDeleteReq: command(0x03, 1, { mcGroupId: uint(0, 2) }),
  /** Lasts 2^timeOut s from `sessionTime` (GPS seconds, modulo 2^32) on. */
  McClassCSessionReq: command(0x04, 10, {
    mcGroupId: uint(0, 2),
    sessionTime: uint(8, 32),
    timeOut: uint(40, 4),
    frequency: frequency(48),
    dataRate: uint(72, 8),
  }),
  /** Lasts 2^timeOut beacon periods. */
  McClassBSessionReq: command(0x05, 10, {
    mcGroupId: uint(0, 2),
    sessionTime: uint(8, 32),
    timeOut: uint(40, 4),
    periodicity: uint(44, 3),
    frequency: frequency(48),
    dataRate: uint(72, 8),
  }),
} as const;

export type MulticastSetupUplinkCommand = Command<typeof multicastSetupUplinkCommands>;
export type MulticastSetupDownlinkCommand = Command<typeof multicastSetupDownlinkCommands>;
export const multicastSetupUplink = commandCodec(multicastSetupUplinkCommands);
export const multicastSetupDownlink = commandCodec(multicastSetupDownlinkCommands);
