/**
 * Fragmented data block transport: package 3 on FPort 201. Versions 1 and 2 give the same CIDs other octets, so each
 * has tables of its own.
 *
 * Spec: TS004-1.0.0, TS004-2.0.0
 */
import { cmac4 } from "../crypto/join.ts";
import type { KeySchedule } from "../crypto/key-schedule.ts";
import { bitSet, flag, octetsAt, uint } from "../mac/fields.ts";
import { type Command, command, commandCodec, type Row } from "../mac/table.ts";
import { writeUint } from "../octets/wire.ts";

export const fragmentationFPort = 201;

type DataFragment = { readonly fragIndex: number; readonly n: number; readonly payload: Uint8Array };
const fragmentHeader = command(0x08, 2, { n: uint(0, 14), fragIndex: uint(14, 2) });
/** The fragment takes the rest of the frame. `n` counts from 1; coded fragments follow the plain ones. */
const dataFragment: Row<DataFragment> = {
  cid: 0x08,
  sizeAt: (octets, at) => Math.max(2, octets.length - at),
  read: (octets, at, size) => ({ ...fragmentHeader.read(octets, at, 2), payload: octets.slice(at + 2, at + size) }),
  write: ({ payload, ...values }) => {
    const octets = new Uint8Array(2 + payload.length);
    octets.set(fragmentHeader.write(values));
    octets.set(payload, 2);
    return octets;
  },
};

const packageVersionAns = command(0x00, 2, { packageIdentifier: uint(0, 8), packageVersion: uint(8, 8) });
const packageVersionReq = command(0x00, 0, {});
const statusReq = command(0x01, 1, { participants: flag(0), fragIndex: uint(1, 2) });
const deleteReq = command(0x03, 1, { fragIndex: uint(0, 2) });
const deleteAns = command(0x03, 1, { fragIndex: uint(0, 2), sessionDoesNotExist: flag(2) });
const setup = {
  fragIndex: uint(4, 2),
  mcGroupBitMask: bitSet(0, 4),
  nbFrag: uint(8, 16),
  fragSize: uint(24, 8),
  blockAckDelay: uint(32, 3),
  fragAlgo: uint(35, 3),
  padding: uint(40, 8),
  descriptor: octetsAt(6, 4),
};
const setupAns = {
  encodingUnsupported: flag(0),
  notEnoughMemory: flag(1),
  indexNotSupported: flag(2),
  wrongDescriptor: flag(3),
  fragIndex: uint(6, 2),
};

export const fragmentation1UplinkCommands = {
  PackageVersionAns: packageVersionAns,
  FragSessionStatusAns: command(0x01, 4, {
    nbFragReceived: uint(0, 14),
    fragIndex: uint(14, 2),
    missingFrag: uint(16, 8),
    notEnoughMatrixMemory: flag(24),
  }),
  FragSessionSetupAns: command(0x02, 1, setupAns),
  FragSessionDeleteAns: deleteAns,
} as const;
export const fragmentation1DownlinkCommands = {
  PackageVersionReq: packageVersionReq,
  FragSessionStatusReq: statusReq,
  FragSessionSetupReq: command(0x02, 10, setup),
  FragSessionDeleteReq: deleteReq,
  DataFragment: dataFragment,
} as const;

export const fragmentation2UplinkCommands = {
  PackageVersionAns: packageVersionAns,
  FragSessionStatusAns: command(0x01, 4, {
    notEnoughMatrixMemory: flag(0),
    micError: flag(1),
    sessionDoesNotExist: flag(2),
    nbFragReceived: uint(8, 14),
    fragIndex: uint(22, 2),
    missingFrag: uint(24, 8),
  }),
  FragSessionSetupAns: command(0x02, 1, { ...setupAns, sessionCntReplay: flag(4) }),
  FragSessionDeleteAns: deleteAns,
  FragDataBlockReceivedReq: command(0x04, 1, { fragIndex: uint(0, 2), micError: flag(2) }),
} as const;
export const fragmentation2DownlinkCommands = {
  PackageVersionReq: packageVersionReq,
  FragSessionStatusReq: statusReq,
  FragSessionSetupReq: command(0x02, 16, {
    ...setup,
    ackReception: flag(38),
    sessionCnt: uint(80, 16),
    mic: octetsAt(12, 4),
  }),
  FragSessionDeleteReq: deleteReq,
  FragDataBlockReceivedAns: command(0x04, 1, { fragIndex: uint(0, 2) }),
  DataFragment: dataFragment,
} as const;

export type Fragmentation1UplinkCommand = Command<typeof fragmentation1UplinkCommands>;
export type Fragmentation1DownlinkCommand = Command<typeof fragmentation1DownlinkCommands>;
export type Fragmentation2UplinkCommand = Command<typeof fragmentation2UplinkCommands>;
export type Fragmentation2DownlinkCommand = Command<typeof fragmentation2DownlinkCommands>;
export const fragmentation1Uplink = commandCodec(fragmentation1UplinkCommands);
export const fragmentation1Downlink = commandCodec(fragmentation1DownlinkCommands);
export const fragmentation2Uplink = commandCodec(fragmentation2UplinkCommands);
export const fragmentation2Downlink = commandCodec(fragmentation2DownlinkCommands);

/** What the MIC of a data block binds besides it. `descriptor` as in FragSessionSetupReq, 4 octets. */
export type DataBlock = { readonly sessionCnt: number; readonly fragIndex: number; readonly descriptor: Uint8Array };

/** MIC of TS004-2.0.0 over a whole block without its padding. The key comes from `deriveDataBlockIntKey`. */
export function dataBlockMic(
  dataBlockIntKey: Uint8Array | KeySchedule,
  block: DataBlock,
  data: Uint8Array,
): Uint8Array {
  const message = new Uint8Array(16 + data.length);
  message[0] = 0x49;
  writeUint(message, 1, 2, block.sessionCnt);
  writeUint(message, 3, 1, block.fragIndex);
  message.set(block.descriptor, 4);
  writeUint(message, 12, 4, data.length);
  message.set(data, 16);
  return cmac4(dataBlockIntKey, message);
}
