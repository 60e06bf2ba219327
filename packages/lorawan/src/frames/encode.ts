/**
 * Frame → octets, the exact inverse of decode.ts. Throws RangeError for values that no decoder would give back:
 * that is the caller's mistake.
 */
import { writeIdentifier } from "../octets/identifiers.ts";
import { writeUint } from "../octets/wire.ts";
import { maxPhyPayloadLength } from "./decode.ts";
import type { DataDown, DataUp, Frame, RejoinRequest } from "./frame.ts";

const mhdr = {
  JoinRequest: 0x00,
  JoinAccept: 0x20,
  UnconfirmedDataUp: 0x40,
  UnconfirmedDataDown: 0x60,
  ConfirmedDataUp: 0x80,
  ConfirmedDataDown: 0xa0,
  RejoinRequest: 0xc0,
  Proprietary: 0xe0,
} as const satisfies { readonly [type in Frame["type"]]: number };

/** Without a MIC its four octets are zero, to be filled by `writeMic`. */
export type Unsigned<F extends Frame> = F extends { readonly mic: Uint8Array }
  ? Omit<F, "mic"> & { readonly mic?: Uint8Array }
  : F;

export function encodePhyPayload(frame: Unsigned<Frame>): Uint8Array {
  switch (frame.type) {
    case "JoinRequest": {
      const octets = start(frame.type, 23, frame.mic);
      writeIdentifier(octets, 1, frame.joinEui);
      writeIdentifier(octets, 9, frame.devEui);
      writeUint(octets, 17, 2, frame.devNonce);
      return octets;
    }
    case "JoinAccept":
      if (frame.encrypted.length !== 16 && frame.encrypted.length !== 32)
        throw new RangeError("a join-accept has 16 or 32 encrypted octets");
      return whole(frame.type, frame.encrypted);
    case "RejoinRequest":
      return encodeRejoinRequest(frame);
    case "Proprietary":
      return whole(frame.type, frame.payload);
    default:
      return encodeData(frame);
  }
}

function start(type: Frame["type"], length: number, mic: Uint8Array | undefined): Uint8Array {
  if (length > maxPhyPayloadLength)
    throw new RangeError(`a PHYPayload has at most ${maxPhyPayloadLength} octets, not ${length}`);
  if (mic !== undefined && mic.length !== 4) throw new RangeError("a MIC has 4 octets");
  const octets = new Uint8Array(length);
  octets[0] = mhdr[type];
  if (mic) octets.set(mic, length - 4);
  return octets;
}

function whole(type: Frame["type"], payload: Uint8Array): Uint8Array {
  const octets = start(type, 1 + payload.length, undefined);
  octets.set(payload, 1);
  return octets;
}

function encodeRejoinRequest(frame: Unsigned<RejoinRequest>): Uint8Array {
  const octets = start(frame.type, frame.rejoinType === 1 ? 24 : 19, frame.mic);
  octets[1] = frame.rejoinType;
  writeIdentifier(octets, 2, frame.rejoinType === 1 ? frame.joinEui : frame.netId);
  const at = frame.rejoinType === 1 ? 10 : 5;
  writeIdentifier(octets, at, frame.devEui);
  writeUint(octets, at + 8, 2, frame.rjCount);
  return octets;
}

function encodeData(frame: Unsigned<DataUp> | Unsigned<DataDown>): Uint8Array {
  const { fOpts, fPort, frmPayload } = frame;
  if (fOpts.length > 15) throw new RangeError(`FOpts have at most 15 octets, not ${fOpts.length}`);
  if (fPort === undefined && frmPayload.length > 0) throw new RangeError("FRMPayload needs an FPort");
  if (fPort === 0 && fOpts.length > 0) throw new RangeError("FOpts and FPort 0 exclude each other");
  const at = 8 + fOpts.length;
  const octets = start(frame.type, at + (fPort === undefined ? 0 : 1 + frmPayload.length) + 4, frame.mic);
  writeIdentifier(octets, 1, frame.devAddr);
  const [bit6, bit4] = "fPending" in frame ? [frame.rfu, frame.fPending] : [frame.adrAckReq, frame.classB];
  octets[5] = (frame.adr ? 0x80 : 0) | (bit6 ? 0x40 : 0) | (frame.ack ? 0x20 : 0) | (bit4 ? 0x10 : 0) | fOpts.length;
  writeUint(octets, 6, 2, frame.fCnt);
  octets.set(fOpts, 8);
  if (fPort !== undefined) {
    writeUint(octets, at, 1, fPort);
    octets.set(frmPayload, at + 1);
  }
  return octets;
}
