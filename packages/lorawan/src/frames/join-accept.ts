/**
 * The clear form of a join-accept: what is left after decryption, without MHDR and MIC.
 * JoinNonce3 ‖ NetID3 ‖ DevAddr4 ‖ DLSettings1 ‖ RxDelay1 ‖ [CFList16]
 *
 * Spec: TS001-1.0.4 §6.2.6; LoRaWAN 1.1 §6.2.3; CFList: RP002-1.0.4
 */
import { hzFromRaw, rawFromHz } from "../octets/frequency.ts";
import { type DevAddr, type NetId, readDevAddr, readNetId, writeIdentifier } from "../octets/identifiers.ts";
import { readU16, readU24, writeUint } from "../octets/wire.ts";
import { type Refused, refuse } from "./refusal.ts";

/** `rx1DrOffset` 0 to 7, `rx2DataRate` 0 to 15. */
export type DlSettings = { readonly optNeg: boolean; readonly rx1DrOffset: number; readonly rx2DataRate: number };

export type CFList =
  /** Five uplink frequencies in Hz, 0 for none: EU868 and the like. */
  | { readonly type: 0; readonly frequencies: readonly number[] }
  /** Seven masks of sixteen channels, the first channel in bit 0: US915, AU915, CN470. */
  | { readonly type: 1; readonly channelMasks: readonly number[] };

export type JoinAcceptFields = {
  readonly joinNonce: number;
  readonly netId: NetId;
  readonly devAddr: DevAddr;
  readonly dlSettings: DlSettings;
  /** Seconds; 0 means 1. */
  readonly rxDelay: number;
  readonly cfList?: CFList;
};

export const decodeDlSettings = (octet: number): DlSettings => ({
  optNeg: (octet & 0x80) !== 0,
  rx1DrOffset: (octet >> 4) & 7,
  rx2DataRate: octet & 15,
});

export function encodeDlSettings({ optNeg, rx1DrOffset, rx2DataRate }: DlSettings): number {
  if ((rx1DrOffset & 7) !== rx1DrOffset || (rx2DataRate & 15) !== rx2DataRate)
    throw new RangeError("RX1DROffset has 3 bits, RX2 data rate 4");
  return (optNeg ? 0x80 : 0) | (rx1DrOffset << 4) | rx2DataRate;
}

/** `octets` is 12 or 28 long. */
export function decodeJoinAcceptFields(octets: Uint8Array): JoinAcceptFields | Refused {
  if (octets.length !== 12 && octets.length !== 28) return refuse("join-accept/length");
  const rxDelay = octets[11] ?? 0;
  if (rxDelay > 15) return refuse("join-accept/rfu");
  const fields = {
    joinNonce: readU24(octets, 0),
    netId: readNetId(octets, 3),
    devAddr: readDevAddr(octets, 6),
    dlSettings: decodeDlSettings(octets[10] ?? 0),
    rxDelay,
  };
  if (octets.length === 12) return fields;
  const cfList = decodeCFList(octets.subarray(12));
  return "reason" in cfList ? cfList : { ...fields, cfList };
}

function decodeCFList(octets: Uint8Array): CFList | Refused {
  if (octets[15] === 0) return { type: 0, frequencies: [0, 3, 6, 9, 12].map((at) => hzFromRaw(readU24(octets, at))) };
  if (octets[15] !== 1) return refuse("join-accept/cflist-type");
  if (octets[14] !== 0) return refuse("join-accept/rfu");
  return { type: 1, channelMasks: [0, 2, 4, 6, 8, 10, 12].map((at) => readU16(octets, at)) };
}

/** The exact inverse. Shorter lists of frequencies or masks are filled with zeros. */
export function encodeJoinAcceptFields(fields: JoinAcceptFields): Uint8Array {
  const octets = new Uint8Array(fields.cfList ? 28 : 12);
  writeUint(octets, 0, 3, fields.joinNonce);
  writeIdentifier(octets, 3, fields.netId);
  writeIdentifier(octets, 6, fields.devAddr);
  octets[10] = encodeDlSettings(fields.dlSettings);
  if ((fields.rxDelay & 15) !== fields.rxDelay) throw new RangeError("RxDelay has 4 bits");
  octets[11] = fields.rxDelay;
  if (fields.cfList) encodeCFList(fields.cfList, octets.subarray(12));
  return octets;
}

function encodeCFList(cfList: CFList, octets: Uint8Array): void {
  octets[15] = cfList.type;
  if (cfList.type === 0) {
    if (cfList.frequencies.length > 5) throw new RangeError("a CFList has room for 5 frequencies");
    for (const [i, hz] of cfList.frequencies.entries()) writeFrequency(octets, 3 * i, hz);
  } else {
    if (cfList.channelMasks.length > 7) throw new RangeError("a CFList has room for 7 masks");
    for (const [i, mask] of cfList.channelMasks.entries()) writeUint(octets, 2 * i, 2, mask);
  }
}

function writeFrequency(octets: Uint8Array, at: number, hz: number): void {
  const raw = rawFromHz(hz);
  if (hzFromRaw(raw) !== hz) throw new RangeError(`${hz} Hz cannot be said in a CFList`);
  writeUint(octets, at, 3, raw);
}
