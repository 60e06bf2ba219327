/** PHYPayloads as a device makes and reads them. TS001-1.0.4 §4, §6.2 */
import { concat, fromWire, readUint, toWire, uintOctets } from "./octets.ts";

export const mType = {
  joinRequest: 0,
  joinAccept: 1,
  unconfirmedDataUp: 2,
  unconfirmedDataDown: 3,
  confirmedDataUp: 4,
  confirmedDataDown: 5,
  rejoinRequest: 6,
  proprietary: 7,
} as const;

export type DataFrame = {
  readonly confirmed: boolean;
  readonly devAddr: string;
  readonly adr: boolean;
  /** Up only. */
  readonly adrAckReq: boolean;
  readonly ack: boolean;
  /** FPending down, ClassB up. */
  readonly bit4: boolean;
  /** The sixteen bits on the air. */
  readonly fCnt: number;
  readonly fOpts: Uint8Array;
  readonly fPort?: number;
  readonly frmPayload: Uint8Array;
};

const bit = (value: boolean, at: number) => (value ? 1 << at : 0);

/** Everything of a data frame but its MIC. */
export function encodeDataFrame(frame: DataFrame, direction: "up" | "down"): Uint8Array {
  if (frame.fOpts.length > 15) throw new RangeError("FOpts holds at most 15 octets");
  const type = direction === "up" ? (frame.confirmed ? 4 : 2) : frame.confirmed ? 5 : 3;
  const fCtrl =
    bit(frame.adr, 7) | bit(frame.adrAckReq, 6) | bit(frame.ack, 5) | bit(frame.bit4, 4) | frame.fOpts.length;
  return concat(
    Uint8Array.of(type << 5),
    toWire(frame.devAddr),
    Uint8Array.of(fCtrl),
    uintOctets(frame.fCnt % 65536, 2),
    frame.fOpts,
    frame.fPort === undefined ? new Uint8Array(0) : Uint8Array.of(frame.fPort),
    frame.frmPayload,
  );
}

export type Decoded = { readonly frame: DataFrame; readonly message: Uint8Array; readonly mic: Uint8Array };
export type Malformed = { readonly refused: "malformed" | "not-for-this-direction" };

/** Reads a data frame; never throws, whatever the octets. */
export function decodeDataFrame(phyPayload: Uint8Array, direction: "up" | "down"): Decoded | Malformed {
  const mhdr = phyPayload[0] ?? 0;
  const type = mhdr >> 5;
  const [plain, confirmed] = direction === "up" ? [2, 4] : [3, 5];
  if (phyPayload.length < 12 || (mhdr & 0x1f) !== 0) return { refused: "malformed" };
  if (type !== plain && type !== confirmed) return { refused: "not-for-this-direction" };
  const message = phyPayload.subarray(0, -4);
  const fCtrl = message[5] ?? 0;
  const port = 8 + (fCtrl & 0x0f);
  if (message.length < port) return { refused: "malformed" };
  const fPort = message[port];
  const frame = {
    confirmed: type === confirmed,
    devAddr: fromWire(message.subarray(1, 5)),
    adr: (fCtrl & 0x80) !== 0,
    adrAckReq: direction === "up" && (fCtrl & 0x40) !== 0,
    ack: (fCtrl & 0x20) !== 0,
    bit4: (fCtrl & 0x10) !== 0,
    fCnt: readUint(message, 6, 2),
    fOpts: message.slice(8, port),
    frmPayload: message.slice(port + 1),
    ...(fPort === undefined ? {} : { fPort }),
  };
  // MAC commands in both places are forbidden (TS001-1.0.4 §4.3.1.6).
  if (fPort === 0 && frame.fOpts.length > 0) return { refused: "malformed" };
  return { frame, message, mic: phyPayload.slice(-4) };
}

/** A join-request without its MIC. */
export function encodeJoinRequest(request: { joinEui: string; devEui: string; devNonce: number }): Uint8Array {
  return concat(Uint8Array.of(0), toWire(request.joinEui), toWire(request.devEui), uintOctets(request.devNonce, 2));
}

/** 0: anew with all radio parameters; 1: for a network that has lost the session; 2: new keys alone. TS001-1.1 §6.2.4 */
export type RejoinType = 0 | 1 | 2;
/** A rejoin-request without its MIC. Types 0 and 2 name the network, type 1 the join server; the count is RJcount0 or RJcount1. */
export function encodeRejoinRequest(
  type: RejoinType,
  { netId, joinEui, devEui, rjCount }: { netId: string; joinEui: string; devEui: string; rjCount: number },
): Uint8Array {
  const whom = toWire(type === 1 ? joinEui : netId);
  return concat(Uint8Array.of(mType.rejoinRequest << 5, type), whom, toWire(devEui), uintOctets(rjCount, 2));
}

export type JoinAccept = {
  readonly joinNonce: number;
  readonly netId: string;
  readonly devAddr: string;
  readonly optNeg: boolean;
  readonly rx1DrOffset: number;
  readonly rx2Dr: number;
  /** Seconds, 0 on the air reads as 1. */
  readonly rxDelay: number;
  /** 16 octets. */
  readonly cfList?: Uint8Array;
};

/** `fields` is the decrypted join-accept without MHDR and MIC: 12 or 28 octets. */
export function decodeJoinAccept(fields: Uint8Array): JoinAccept {
  const dlSettings = fields[10] ?? 0;
  return {
    joinNonce: readUint(fields, 0, 3),
    netId: fromWire(fields.subarray(3, 6)),
    devAddr: fromWire(fields.subarray(6, 10)),
    optNeg: (dlSettings & 0x80) !== 0,
    rx1DrOffset: (dlSettings >> 4) & 0x07,
    rx2Dr: dlSettings & 0x0f,
    rxDelay: (fields[11] ?? 0) & 0x0f || 1,
    ...(fields.length === 28 ? { cfList: fields.slice(12) } : {}),
  };
}
