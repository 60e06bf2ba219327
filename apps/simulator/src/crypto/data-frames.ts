/** MIC and ciphers of data frames. TS001-1.0.4 §4.3.3 and §4.4, TS001-1.1 §4.3.1.6 (with its erratum), §4.3.3 and §4.4 */
import { concat, toWire, uintOctets } from "../octets.ts";
import { cmac, encryptBlocks } from "./aes.ts";
import type { SessionKeys } from "./session-keys.ts";

export type Direction = 0 | 1;
export const up: Direction = 0;
export const down: Direction = 1;
export type Place = { readonly devAddr: string; readonly fCnt: number; readonly direction: Direction };

/** The common shape of A, B0 and B1: first octet, four octets of context, Dir, DevAddr, FCnt, 0, last octet. */
function block(first: number, context: Uint8Array, { direction, devAddr, fCnt }: Place, last: number): Uint8Array {
  return concat(
    Uint8Array.of(first),
    context,
    Uint8Array.of(direction),
    toWire(devAddr),
    uintOctets(fCnt, 4),
    Uint8Array.of(0, last),
  );
}
const nothing = new Uint8Array(4);

/** MIC of a 1.0.x frame, either way. */
export function mic10(nwkSKey: Uint8Array, place: Place, message: Uint8Array): Uint8Array {
  return cmac(nwkSKey, concat(block(0x49, nothing, place, message.length), message)).subarray(0, 4);
}

/** `confFCnt` counts only in frames with the ACK bit: else it is 0. `txCh` is the device's own channel index. */
export function micUp11(
  keys: SessionKeys,
  place: Place,
  message: Uint8Array,
  { confFCnt, txDr, txCh }: { confFCnt: number; txDr: number; txCh: number },
): Uint8Array {
  const b1 = block(0x49, concat(uintOctets(confFCnt % 65536, 2), Uint8Array.of(txDr, txCh)), place, message.length);
  const s = cmac(keys.sNwkSIntKey, concat(b1, message));
  return concat(s.subarray(0, 2), mic10(keys.fNwkSIntKey, place, message).subarray(0, 2));
}

export function micDown11(sNwkSIntKey: Uint8Array, place: Place, message: Uint8Array, confFCnt: number): Uint8Array {
  const b0 = block(0x49, concat(uintOctets(confFCnt % 65536, 2), Uint8Array.of(0, 0)), place, message.length);
  return cmac(sNwkSIntKey, concat(b0, message)).subarray(0, 4);
}

/** Encrypts or decrypts FRMPayload: the same operation. */
export function cryptFrmPayload(key: Uint8Array, place: Place, payload: Uint8Array): Uint8Array {
  const blocks = concat(
    ...Array.from({ length: Math.ceil(payload.length / 16) }, (_, i) => block(0x01, nothing, place, i + 1)),
  );
  const stream = encryptBlocks(key, blocks);
  return payload.map((octet, i) => octet ^ (stream[i] ?? 0));
}

/** Encrypts or decrypts FOpts (1.1). `counter` is 1 for FCntUp and NFCntDown, 2 for AFCntDown. */
export function cryptFOpts(nwkSEncKey: Uint8Array, place: Place, counter: 1 | 2, fOpts: Uint8Array): Uint8Array {
  const stream = encryptBlocks(nwkSEncKey, block(0x01, Uint8Array.of(0, 0, 0, counter), place, 0x01));
  return fOpts.map((octet, i) => octet ^ (stream[i] ?? 0));
}
