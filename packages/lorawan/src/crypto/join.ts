/**
 * Integrity of join- and rejoin-requests; integrity and encryption of join-accepts (TS001-1.0.4 §6.2; LoRaWAN 1.1 §6.2).
 * A join-accept is encrypted with AES *decryption*, so that a device needs only the other direction.
 */
import { unsafe } from "@noble/ciphers/aes.js";
import { type JoinEui, writeIdentifier } from "../octets/identifiers.ts";
import { readU32, writeUint } from "../octets/wire.ts";
import { equalOctets } from "./equal.ts";
import { KeySchedule, secretOctets } from "./key-schedule.ts";

const micLength = 4;

/** First four octets of the CMAC of `message`. `key` is 16 octets or a schedule made from them. */
export function cmac4(key: Uint8Array | KeySchedule, message: Uint8Array): Uint8Array {
  if (key instanceof KeySchedule) return key.cmac(message).slice(0, micLength);
  const schedule = new KeySchedule(key);
  const mic = schedule.cmac(message).slice(0, micLength);
  schedule.wipe();
  return mic;
}

/** Whether the last four octets are the CMAC of the others: join-requests under AppKey (1.0.x) or NwkKey (1.1), rejoin-requests 0 and 2 under SNwkSIntKey, 1 under JSIntKey. */
export function verifyTrailingMic(key: Uint8Array | KeySchedule, phyPayload: Uint8Array): boolean {
  const end = phyPayload.length - micLength;
  return end > 0 && equalOctets(cmac4(key, phyPayload.subarray(0, end)), phyPayload.subarray(end));
}

/** What a 1.1 join-accept answers; its MIC covers it. RJcount stands for DevNonce after a rejoin-request. */
export type JoinAcceptContext = {
  readonly joinReqType: 0x00 | 0x01 | 0x02 | 0xff;
  readonly joinEui: JoinEui;
  readonly devNonce: number;
};

const mhdrJoinAccept = 0x20;

/** MIC of a join-accept with OptNeg 0: CMAC(AppKey or NwkKey, MHDR ‖ fields). */
export function joinAcceptMic10(key: Uint8Array | KeySchedule, fields: Uint8Array): Uint8Array {
  const message = new Uint8Array(1 + fields.length);
  message[0] = mhdrJoinAccept;
  message.set(fields, 1);
  return cmac4(key, message);
}

/** MIC of a join-accept with OptNeg 1: CMAC(JSIntKey, JoinReqType ‖ JoinEUI ‖ DevNonce ‖ MHDR ‖ fields). */
export function joinAcceptMic11(
  jsIntKey: Uint8Array | KeySchedule,
  context: JoinAcceptContext,
  fields: Uint8Array,
): Uint8Array {
  const message = new Uint8Array(12 + fields.length);
  message[0] = context.joinReqType;
  writeIdentifier(message, 1, context.joinEui);
  writeUint(message, 9, 2, context.devNonce);
  message[11] = mhdrJoinAccept;
  message.set(fields, 12);
  return cmac4(jsIntKey, message);
}

/** The PHYPayload of a join-accept. `key`: AppKey (1.0.x), NwkKey (answer to a join-request), JSEncKey (to a rejoin-request). */
export function encryptJoinAccept(key: Uint8Array, fields: Uint8Array, mic: Uint8Array): Uint8Array {
  const phyPayload = new Uint8Array(1 + fields.length + micLength);
  phyPayload[0] = mhdrJoinAccept;
  phyPayload.set(fields, 1);
  phyPayload.set(mic, 1 + fields.length);
  const body = phyPayload.subarray(1);
  if (body.length !== 16 && body.length !== 32)
    throw new RangeError("a join-accept has 12 or 28 octets of fields and 4 of MIC");
  decryptBlocks(key, body);
  return phyPayload;
}

/** Fields (12 or 28 octets) and MIC (4) of a join-accept. Nothing is verified here; undefined when the length is wrong. */
export function decryptJoinAccept(
  key: Uint8Array | KeySchedule,
  phyPayload: Uint8Array,
): { readonly fields: Uint8Array; readonly mic: Uint8Array } | undefined {
  if (phyPayload.length !== 17 && phyPayload.length !== 33) return undefined;
  const schedule = key instanceof KeySchedule ? key : new KeySchedule(key);
  const clear = phyPayload.slice(1);
  for (let at = 0; at < clear.length; at += 16) schedule.encryptBlock(clear, at, clear, at);
  if (schedule !== key) schedule.wipe();
  return { fields: clear.subarray(0, -micLength), mic: clear.subarray(-micLength) };
}

/** AES decryption of whole blocks, in place. */
export function decryptBlocks(key: Uint8Array, blocks: Uint8Array): void {
  const copy = secretOctets(key.length); // aligned, so that nothing copies it onto the heap
  copy.set(key);
  const roundKeys = unsafe.expandKeyDecLE(copy);
  copy.fill(0);
  for (let at = 0; at < blocks.length; at += 16) {
    const { s0, s1, s2, s3 } = unsafe.decrypt(
      roundKeys,
      readU32(blocks, at),
      readU32(blocks, at + 4),
      readU32(blocks, at + 8),
      readU32(blocks, at + 12),
    );
    for (const [i, word] of [s0, s1, s2, s3].entries()) writeUint(blocks, at + 4 * i, 4, word >>> 0);
  }
  roundKeys.fill(0);
}

/** McKey_encrypted of TS005 McGroupSetupReq: AES decryption under McKEKey; the device encrypts to get McKey back. */
export function encryptMcKey(mcKEKey: Uint8Array, mcKey: Uint8Array): Uint8Array {
  const encrypted = secretOctets(16);
  encrypted.set(mcKey);
  decryptBlocks(mcKEKey, encrypted);
  return encrypted;
}
