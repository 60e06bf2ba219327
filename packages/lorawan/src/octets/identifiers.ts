/**
 * The names of devices and networks. Lower-case hex text, most significant digit first, so that they can be map keys,
 * database keys and log fields; each has one parser and one pair of wire functions, and nothing else makes one.
 * On the air their octets are reversed (TS001-1.0.4 §1.2): that is known here alone.
 */
import { readReversedHex, readU32, writeReversedHex } from "./wire.ts";

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** 16 hex digits. */
export type DevEui = Brand<string, "DevEui">;
/** 16 hex digits. AppEUI in 1.0.0 to 1.0.3. */
export type JoinEui = Brand<string, "JoinEui">;
/** 16 hex digits. */
export type GatewayEui = Brand<string, "GatewayEui">;
/** 8 hex digits. */
export type DevAddr = Brand<string, "DevAddr">;
/** 6 hex digits. */
export type NetId = Brand<string, "NetId">;

const parser =
  <T extends string>(digits: number) =>
  (text: string): T | undefined =>
    text.length === digits && /^[0-9a-fA-F]+$/.test(text) ? (text.toLowerCase() as T) : undefined;
const reader =
  <T extends string>(count: number) =>
  (octets: Uint8Array, at: number): T =>
    readReversedHex(octets, at, count) as T;

export const parseDevEui = parser<DevEui>(16);
export const parseJoinEui = parser<JoinEui>(16);
export const parseGatewayEui = parser<GatewayEui>(16);
export const parseDevAddr = parser<DevAddr>(8);
export const parseNetId = parser<NetId>(6);

/** From the air: reversed octets. The caller has checked the length. */
export const readDevEui = reader<DevEui>(8);
export const readJoinEui = reader<JoinEui>(8);
export const readDevAddr = reader<DevAddr>(4);
export const readNetId = reader<NetId>(3);

/** To the air: reversed octets. */
export const writeIdentifier = (octets: Uint8Array, at: number, id: DevEui | JoinEui | DevAddr | NetId): void =>
  writeReversedHex(octets, at, id);

/** A DevAddr as an unsigned 32-bit number, for tables that are keyed by integers. */
export const devAddrToNumber = (devAddr: DevAddr): number => Number.parseInt(devAddr, 16);
export function devAddrFromNumber(value: number): DevAddr {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) throw new RangeError(`${value} is no DevAddr`);
  return value.toString(16).padStart(8, "0") as DevAddr;
}
export const readDevAddrNumber = readU32;

export const netIdToNumber = (netId: NetId): number => Number.parseInt(netId, 16);
export function netIdFromNumber(value: number): NetId {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffff) throw new RangeError(`${value} is no NetID`);
  return value.toString(16).padStart(6, "0") as NetId;
}
