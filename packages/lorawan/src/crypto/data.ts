/**
 * Integrity and encryption of data frames. Functions take a whole PHYPayload as it is on the air, so that nothing is
 * copied: DevAddr is read from the frame, the 16 high bits of the counter come from the session.
 *
 *   B0  49 ‖ ConfFCnt2 ‖ 00 ‖ 00 ‖ Dir ‖ DevAddr4 ‖ FCnt4 ‖ 00 ‖ length      (1.1 uplink, B1: TxDr and TxCh instead of 00 00)
 *   A   01 ‖ 00 00 00 ‖ 00 ‖ Dir ‖ DevAddr4 ‖ FCnt4 ‖ 00 ‖ i                 (FOpts of 1.1: c instead of the last 00 before Dir)
 *
 * Spec: TS001-1.0.4 §4.3.3, §4.4; LoRaWAN 1.1 §4.3.1.6 with its erratum on FOpts encryption, §4.3.3, §4.4
 */
import { readU16, readU32 } from "../octets/wire.ts";
import type { KeySchedule } from "./key-schedule.ts";

export type FrameDirection = "up" | "down";

/** What B1 of a 1.1 uplink binds besides the frame. `confFCnt` is the counter of the confirmed downlink that is acknowledged. */
export type UplinkContext = { readonly confFCnt: number; readonly txDr: number; readonly txCh: number };

const ack = 0x20;
const micLength = 4;
const isAck = (phyPayload: Uint8Array): boolean => ((phyPayload[5] ?? 0) & ack) !== 0;

/** A MIC as a number: four octets of CMAC over one block of context and the frame without its MIC. */
function mic(
  key: KeySchedule,
  conf: number,
  txDr: number,
  txCh: number,
  dir: 0 | 1,
  devAddr: number,
  fCnt: number,
  octets: Uint8Array,
  end: number,
): number {
  return key.micWord(
    0x49 | ((conf & 0xffff) << 8) | (txDr << 24),
    (txCh & 0xff) | (dir << 8) | (devAddr << 16),
    (devAddr >>> 16) | (fCnt << 16),
    (fCnt >>> 16) | (end << 24),
    octets,
    end,
  );
}

/** The MIC that 1.0.x demands of `frame` (MHDR … FRMPayload, no MIC), as the little-endian number of its four octets. */
export const mic10 = (
  nwkSKey: KeySchedule,
  direction: FrameDirection,
  fCnt: number,
  frame: Uint8Array,
  end = frame.length,
): number => mic(nwkSKey, 0, 0, 0, direction === "up" ? 0 : 1, readU32(frame, 1), fCnt, frame, end) >>> 0;

/** 1.1 uplink: two octets under SNwkSIntKey, then two under FNwkSIntKey. ConfFCnt counts only where the frame has ACK. */
export function mic11Up(
  sNwkSIntKey: KeySchedule,
  fNwkSIntKey: KeySchedule,
  fCnt: number,
  context: UplinkContext,
  frame: Uint8Array,
  end = frame.length,
): number {
  const devAddr = readU32(frame, 1);
  const conf = isAck(frame) ? context.confFCnt : 0;
  const s = mic(sNwkSIntKey, conf, context.txDr, context.txCh, 0, devAddr, fCnt, frame, end);
  const f = mic(fNwkSIntKey, 0, 0, 0, 0, devAddr, fCnt, frame, end);
  return ((s & 0xffff) | (f << 16)) >>> 0;
}

/** 1.1 downlink. `confFCnt` is the counter of the confirmed uplink that is acknowledged; it counts only where the frame has ACK. */
export const mic11Down = (
  sNwkSIntKey: KeySchedule,
  fCnt: number,
  confFCnt: number,
  frame: Uint8Array,
  end = frame.length,
): number => mic(sNwkSIntKey, isAck(frame) ? confFCnt : 0, 0, 0, 1, readU32(frame, 1), fCnt, frame, end) >>> 0;

// Numbers are compared in constant time: one XOR, one test.
const carriedMic = (phyPayload: Uint8Array): number => readU32(phyPayload, phyPayload.length - micLength);

/** Whether a whole data PHYPayload has the MIC of 1.0.x under this key and 32-bit counter. Length was checked by the decoder. */
export const verifyMic10 = (
  nwkSKey: KeySchedule,
  direction: FrameDirection,
  fCnt: number,
  phyPayload: Uint8Array,
): boolean =>
  (mic10(nwkSKey, direction, fCnt, phyPayload, phyPayload.length - micLength) ^ carriedMic(phyPayload)) === 0;

export const verifyMic11Up = (
  sNwkSIntKey: KeySchedule,
  fNwkSIntKey: KeySchedule,
  fCnt: number,
  context: UplinkContext,
  phyPayload: Uint8Array,
): boolean =>
  (mic11Up(sNwkSIntKey, fNwkSIntKey, fCnt, context, phyPayload, phyPayload.length - micLength) ^
    carriedMic(phyPayload)) ===
  0;

/** The FNwkSIntKey half of a 1.1 uplink's MIC alone: all that a forwarding network can check (16 bits; never final). */
export function verifyMic11UpForwarding(fNwkSIntKey: KeySchedule, fCnt: number, phyPayload: Uint8Array): boolean {
  const end = phyPayload.length - micLength;
  const f = mic(fNwkSIntKey, 0, 0, 0, 0, readU32(phyPayload, 1), fCnt, phyPayload, end);
  return ((f & 0xffff) ^ readU16(phyPayload, end + 2)) === 0;
}

export const verifyMic11Down = (
  sNwkSIntKey: KeySchedule,
  fCnt: number,
  confFCnt: number,
  phyPayload: Uint8Array,
): boolean =>
  (mic11Down(sNwkSIntKey, fCnt, confFCnt, phyPayload, phyPayload.length - micLength) ^ carriedMic(phyPayload)) === 0;

/** Writes a MIC into the last four octets of a PHYPayload. */
export function writeMic(phyPayload: Uint8Array, value: number): void {
  const at = phyPayload.length - micLength;
  for (let i = 0; i < micLength; i++) phyPayload[at + i] = value >>> (8 * i);
}

/** A MIC as four octets, for frames that are built as values. */
export function micOctets(value: number): Uint8Array {
  const octets = new Uint8Array(micLength);
  writeMic(octets, value);
  return octets;
}

function keystream(
  key: KeySchedule,
  constant: number,
  dir: 0 | 1,
  devAddr: number,
  fCnt: number,
  from: Uint8Array,
  to: Uint8Array,
): Uint8Array {
  key.applyKeystream(
    1,
    constant | (dir << 8) | (devAddr << 16),
    (devAddr >>> 16) | (fCnt << 16),
    fCnt >>> 16,
    from,
    to,
  );
  return to;
}

/**
 * Encrypts or decrypts FRMPayload (the same operation). FPort 0: NwkSKey (1.0.x) or NwkSEncKey (1.1); else AppSKey.
 * `devAddr` is a number. `to` may be `payload` itself.
 */
export const cryptFrmPayload = (
  key: KeySchedule,
  direction: FrameDirection,
  devAddr: number,
  fCnt: number,
  payload: Uint8Array,
  to: Uint8Array = new Uint8Array(payload.length),
): Uint8Array => keystream(key, 0, direction === "up" ? 0 : 1, devAddr, fCnt, payload, to);

/** Which counter a 1.1 frame uses: downlinks with FPort 1 or higher have AFCntDown, other downlinks NFCntDown. */
export type FCntKind = "FCntUp" | "NFCntDown" | "AFCntDown";
const fOptsConstant = { FCntUp: 1, NFCntDown: 1, AFCntDown: 2 } as const;

/** Devices built to the literal text of 1.1.0, before its erratum, encrypt FOpts like a FRMPayload with i = 0. */
export type FOptsRule = "erratum" | "literal-1.1.0";

/** Encrypts or decrypts the FOpts of a 1.1 frame under NwkSEncKey. */
export function cryptFOpts(
  nwkSEncKey: KeySchedule,
  kind: FCntKind,
  devAddr: number,
  fCnt: number,
  fOpts: Uint8Array,
  rule: FOptsRule = "erratum",
): Uint8Array {
  const to = new Uint8Array(fOpts.length);
  const dir = kind === "FCntUp" ? 0 : 1;
  if (rule === "erratum") return keystream(nwkSEncKey, fOptsConstant[kind], dir, devAddr, fCnt, fOpts, to);
  const block = new Uint8Array(16);
  block[0] = 1;
  block[5] = dir;
  for (let i = 0; i < 4; i++) {
    block[6 + i] = devAddr >>> (8 * i);
    block[10 + i] = fCnt >>> (8 * i);
  }
  nwkSEncKey.encryptBlock(block, 0, block, 0);
  for (let i = 0; i < fOpts.length; i++) to[i] = (fOpts[i] ?? 0) ^ (block[i] ?? 0);
  return to;
}
