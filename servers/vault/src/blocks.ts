/**
 * The blocks that keys are derived with, and the clear form of a join-accept. No key comes near this file.
 *
 * Spec: TS001-1.0.4 §6.2.5, §6.2.6; LoRaWAN 1.1 §6.1.1, §6.2.4, §6.2.5
 */
import { parseHex, toHex } from "@trefoil/custody";

/** First octet of the block that each key is derived with. */
export const derivation = {
  NwkSKey: 1,
  FNwkSIntKey: 1,
  AppSKey: 2,
  SNwkSIntKey: 3,
  NwkSEncKey: 4,
  JSEncKey: 5,
  JSIntKey: 6,
} as const;
export type Derived = keyof typeof derivation;

/** What a session's keys depend on. `nonce` is the DevNonce, or the RJcount of a rejoin-request. */
export type SessionContext = {
  readonly joinNonce: number;
  readonly netId: string;
  readonly joinEui: string;
  readonly nonce: number;
};

/** 1.0.x: prefix ‖ JoinNonce3 ‖ NetID3 ‖ DevNonce2 ‖ 0… */
export const block10 = (key: Derived, { joinNonce, netId, nonce }: SessionContext): Uint8Array =>
  block(derivation[key], littleEndian(joinNonce, 3), reversed(netId), littleEndian(nonce, 2));

/** 1.1: prefix ‖ JoinNonce3 ‖ JoinEUI8 ‖ DevNonce2 ‖ 0… */
export const block11 = (key: Derived, { joinNonce, joinEui, nonce }: SessionContext): Uint8Array =>
  block(derivation[key], littleEndian(joinNonce, 3), reversed(joinEui), littleEndian(nonce, 2));

/** JSIntKey, JSEncKey: prefix ‖ DevEUI8 ‖ 0… */
export const blockOfDevice = (key: Derived, devEui: string): Uint8Array => block(derivation[key], reversed(devEui));

export type JoinAcceptFields = {
  readonly joinNonce: number;
  readonly netId: string;
  readonly devAddr: string;
  readonly dlSettings: number;
  readonly rxDelay: number;
  readonly cfList?: string;
};
const mhdrJoinAccept = 0x20;
const mhdrRejoinRequest = 0xc0;
export const optNeg = 0x80;
/** LoRaWAN 1.1 §6.2.5: FF for a join-request, else the type of the rejoin-request. */
export const joinReqType = (request: Asked["request"]): number => (request === "join" ? 0xff : request);

/** MHDR ‖ JoinNonce3 ‖ NetID3 ‖ DevAddr4 ‖ DLSettings1 ‖ RxDelay1 ‖ [CFList16]: what the MIC of OptNeg 0 covers. */
export const joinAcceptClear = ({
  joinNonce,
  netId,
  devAddr,
  dlSettings,
  rxDelay,
  cfList = "",
}: JoinAcceptFields): Uint8Array =>
  concat(
    [mhdrJoinAccept],
    littleEndian(joinNonce, 3),
    reversed(netId),
    reversed(devAddr),
    [dlSettings, rxDelay],
    parseHex(cfList) ?? [],
  );

/** JoinReqType ‖ JoinEUI8 ‖ DevNonce2 (RJcount of a rejoin-request): what the MIC of OptNeg 1 covers before the clear join-accept. */
export const joinAcceptPrefix11 = (type: number, joinEui: string, nonce: number): Uint8Array =>
  concat([type], reversed(joinEui), littleEndian(nonce, 2));

/** A join-request ("join") or rejoin-request, as it says of itself. MICs are not verified here. */
export type Asked = {
  readonly request: "join" | 0 | 1 | 2;
  readonly devEui: string;
  /** Of a join-request and a rejoin-request of type 1. */
  readonly joinEui?: string;
  /** Of a rejoin-request of type 0 or 2. */
  readonly netId?: string;
  /** DevNonce, RJcount0 or RJcount1. */
  readonly nonce: number;
};

/** MHDR ‖ JoinEUI8 ‖ DevEUI8 ‖ DevNonce2 ‖ MIC4. */
export function readJoinRequest(octets: Uint8Array): Asked | undefined {
  if (octets.length !== 23 || octets[0] !== 0) return undefined;
  return {
    request: "join",
    joinEui: reversedHex(octets.subarray(1, 9)),
    devEui: reversedHex(octets.subarray(9, 17)),
    nonce: uint16(octets, 17),
  };
}

/** Types 0 and 2: MHDR ‖ type1 ‖ NetID3 ‖ DevEUI8 ‖ RJcount0 2 ‖ MIC4. Type 1: MHDR ‖ type1 ‖ JoinEUI8 ‖ DevEUI8 ‖ RJcount1 2 ‖ MIC4. */
export function readRejoinRequest(octets: Uint8Array): Asked | undefined {
  const [mhdr, request] = octets;
  if (mhdr !== mhdrRejoinRequest) return undefined;
  if ((request === 0 || request === 2) && octets.length === 19)
    return {
      request,
      netId: reversedHex(octets.subarray(2, 5)),
      devEui: reversedHex(octets.subarray(5, 13)),
      nonce: uint16(octets, 13),
    };
  if (request === 1 && octets.length === 24)
    return {
      request,
      joinEui: reversedHex(octets.subarray(2, 10)),
      devEui: reversedHex(octets.subarray(10, 18)),
      nonce: uint16(octets, 18),
    };
  return undefined;
}

export function concat(...parts: readonly ArrayLike<number>[]): Uint8Array {
  const octets = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    octets.set(part, at);
    at += part.length;
  }
  return octets;
}

function block(first: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const octets = new Uint8Array(16);
  octets[0] = first;
  let at = 1;
  for (const part of parts) {
    octets.set(part, at);
    at += part.length;
  }
  return octets;
}

const uint16 = (octets: Uint8Array, at: number): number => (octets[at] ?? 0) | ((octets[at + 1] ?? 0) << 8);
const littleEndian = (value: number, octets: number): Uint8Array => {
  const written = new Uint8Array(octets);
  for (let i = 0; i < octets; i += 1) written[i] = value >>> (8 * i);
  return written;
};
const reversed = (hex: string): Uint8Array => (parseHex(hex) ?? new Uint8Array(0)).reverse();
const reversedHex = (octets: Uint8Array): string => toHex(Uint8Array.from(octets).reverse());
