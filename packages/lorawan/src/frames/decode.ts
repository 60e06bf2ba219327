/**
 * Octets → frame or refusal. Never throws. Octet fields of the result are views on the input: copy what is kept.
 * MICs are not verified here.
 *
 * Spec: TS001-1.0.4 §4, §6.2; LoRaWAN 1.1 §4, §6.2
 */
import { readDevAddr, readDevEui, readJoinEui, readNetId } from "../octets/identifiers.ts";
import { readU16 } from "../octets/wire.ts";
import type { DataDown, DataUp, Frame, JoinRequest, RejoinRequest } from "./frame.ts";
import { type Refused, refuse } from "./refusal.ts";

export const maxPhyPayloadLength = 255;
const micLength = 4;

export function decodePhyPayload(octets: Uint8Array): Frame | Refused {
  const mhdr = octets[0];
  if (mhdr === undefined) return refuse("frame/empty");
  if (octets.length > maxPhyPayloadLength) return refuse("frame/too-long");
  if ((mhdr & 0x03) !== 0) return refuse("mhdr/major");
  if ((mhdr & 0x1c) !== 0) return refuse("mhdr/rfu");
  switch (mhdr >> 5) {
    case 0:
      return decodeJoinRequest(octets);
    case 1:
      return octets.length === 17 || octets.length === 33
        ? { type: "JoinAccept", encrypted: octets.subarray(1) }
        : refuse("join-accept/length");
    case 2:
      return decodeDataUp(octets, "UnconfirmedDataUp");
    case 3:
      return decodeDataDown(octets, "UnconfirmedDataDown");
    case 4:
      return decodeDataUp(octets, "ConfirmedDataUp");
    case 5:
      return decodeDataDown(octets, "ConfirmedDataDown");
    case 6:
      return decodeRejoinRequest(octets);
    default:
      return { type: "Proprietary", payload: octets.subarray(1) };
  }
}

function decodeJoinRequest(octets: Uint8Array): JoinRequest | Refused {
  if (octets.length !== 23) return refuse("join-request/length");
  return {
    type: "JoinRequest",
    joinEui: readJoinEui(octets, 1),
    devEui: readDevEui(octets, 9),
    devNonce: readU16(octets, 17),
    mic: octets.subarray(19),
  };
}

function decodeRejoinRequest(octets: Uint8Array): RejoinRequest | Refused {
  const rejoinType = octets[1];
  if (rejoinType === 1) {
    if (octets.length !== 24) return refuse("rejoin-request/length");
    return {
      type: "RejoinRequest",
      rejoinType,
      joinEui: readJoinEui(octets, 2),
      devEui: readDevEui(octets, 10),
      rjCount: readU16(octets, 18),
      mic: octets.subarray(20),
    };
  }
  if (rejoinType !== 0 && rejoinType !== 2) return refuse("rejoin-request/type");
  if (octets.length !== 19) return refuse("rejoin-request/length");
  return {
    type: "RejoinRequest",
    rejoinType,
    netId: readNetId(octets, 2),
    devEui: readDevEui(octets, 5),
    rjCount: readU16(octets, 13),
    mic: octets.subarray(15),
  };
}

/** Where FOpts end, or why the frame is none. */
function fOptsEnd(octets: Uint8Array): number | Refused {
  if (octets.length < 12) return refuse("data/length");
  const fOptsLen = (octets[5] ?? 0) & 0x0f;
  const end = 8 + fOptsLen;
  const payloadEnd = octets.length - micLength;
  if (end > payloadEnd) return refuse("data/fopts-length");
  if (fOptsLen > 0 && end < payloadEnd && octets[end] === 0) return refuse("data/fopts-with-fport-0");
  return end;
}

function decodeDataUp(octets: Uint8Array, type: DataUp["type"]): DataUp | Refused {
  const at = fOptsEnd(octets);
  if (typeof at !== "number") return at;
  const fCtrl = octets[5] ?? 0;
  const end = octets.length - micLength;
  return {
    type,
    devAddr: readDevAddr(octets, 1),
    adr: (fCtrl & 0x80) !== 0,
    adrAckReq: (fCtrl & 0x40) !== 0,
    ack: (fCtrl & 0x20) !== 0,
    classB: (fCtrl & 0x10) !== 0,
    fCnt: readU16(octets, 6),
    fOpts: octets.subarray(8, at),
    fPort: at < end ? octets[at] : undefined,
    frmPayload: octets.subarray(at < end ? at + 1 : end, end),
    mic: octets.subarray(end),
  };
}

function decodeDataDown(octets: Uint8Array, type: DataDown["type"]): DataDown | Refused {
  const at = fOptsEnd(octets);
  if (typeof at !== "number") return at;
  const fCtrl = octets[5] ?? 0;
  const end = octets.length - micLength;
  return {
    type,
    devAddr: readDevAddr(octets, 1),
    adr: (fCtrl & 0x80) !== 0,
    rfu: (fCtrl & 0x40) !== 0,
    ack: (fCtrl & 0x20) !== 0,
    fPending: (fCtrl & 0x10) !== 0,
    fCnt: readU16(octets, 6),
    fOpts: octets.subarray(8, at),
    fPort: at < end ? octets[at] : undefined,
    frmPayload: octets.subarray(at < end ? at + 1 : end, end),
    mic: octets.subarray(end),
  };
}
