/**
 * The beacon of class B: what gateways send every 128 s. Nothing in it is authentic: a CRC is no MIC.
 *   RFU ‖ Param1 ‖ Time4 ‖ CRC2 ‖ GwSpecific7 (InfoDesc1 ‖ Info6) ‖ RFU ‖ CRC2
 * How many RFU octets there are depends on the region's beacon data rate.
 *
 * Spec: TS001-1.0.4 §13.2 to §13.4
 */
import { crc16Beacon } from "../octets/crc16.ts";
import { readU16, readU24, readU32, writeUint } from "../octets/wire.ts";
import type { BeaconLayout } from "../regions/class-b.ts";

/** Octets that are reserved before Param and after GwSpecific: `beaconLayout(region)` tells. */
type Reserved = Pick<BeaconLayout, "rfu1" | "rfu2">;

export type Beacon = {
  /** Seconds since the GPS epoch, modulo 2^32. */
  readonly time: number;
  /** The time is exact to 10^(precision - 6) s. */
  readonly precision: number;
  /** 0 to 2: position of that antenna; 3: NetID and GatewayID; 4 and up: reserved or network specific. */
  readonly infoDesc: number;
  /** Six octets. */
  readonly info: Uint8Array;
};
export type BeaconRefused = { readonly reason: "beacon/length" | "beacon/rfu" | "beacon/time-crc" };

/** A beacon whose first CRC is right. `gatewayInfoIntact` is the second CRC: a device may use the time without it. */
export function decodeBeacon(
  octets: Uint8Array,
  layout: Reserved,
): (Beacon & { readonly gatewayInfoIntact: boolean }) | BeaconRefused {
  const at = layout.rfu1;
  const end = at + 14 + layout.rfu2;
  if (octets.length !== end + 2) return { reason: "beacon/length" };
  if (crc16Beacon(octets.subarray(0, at + 5)) !== readU16(octets, at + 5)) return { reason: "beacon/time-crc" };
  const param = octets[at] ?? 0;
  const reserved = [...octets.subarray(0, at), param & 0xfc, ...octets.subarray(at + 14, end)];
  if (reserved.some((octet) => octet !== 0)) return { reason: "beacon/rfu" };
  return {
    time: readU32(octets, at + 1),
    precision: param & 3,
    infoDesc: octets[at + 7] ?? 0,
    info: octets.slice(at + 8, at + 14),
    gatewayInfoIntact: crc16Beacon(octets.subarray(at + 7, end)) === readU16(octets, end),
  };
}

export function encodeBeacon(beacon: Beacon, layout: Reserved): Uint8Array {
  if ((beacon.precision & 3) !== beacon.precision) throw new RangeError("Prec has 2 bits");
  if (beacon.info.length !== 6) throw new RangeError("Info has 6 octets");
  const at = layout.rfu1;
  const end = at + 14 + layout.rfu2;
  const octets = new Uint8Array(end + 2);
  octets[at] = beacon.precision;
  writeUint(octets, at + 1, 4, beacon.time);
  writeUint(octets, at + 5, 2, crc16Beacon(octets.subarray(0, at + 5)));
  writeUint(octets, at + 7, 1, beacon.infoDesc);
  octets.set(beacon.info, at + 8);
  writeUint(octets, end, 2, crc16Beacon(octets.subarray(at + 7, end)));
  return octets;
}

/** Degrees, north and east positive, in 2^-23 of a quarter or half turn (§13.3.1). */
export type Position = { readonly latitude: number; readonly longitude: number };

const signed24 = (raw: number): number => (raw < 0x800000 ? raw : raw - 0x1000000);
const unsigned24 = (value: number): number => Math.max(-0x800000, Math.min(0x7fffff, Math.round(value))) & 0xffffff;

/** Info of InfoDesc 0 to 2. */
export const decodeBeaconPosition = (info: Uint8Array): Position => ({
  latitude: (signed24(readU24(info, 0)) * 90) / 0x800000,
  longitude: (signed24(readU24(info, 3)) * 180) / 0x800000,
});
export function encodeBeaconPosition({ latitude, longitude }: Position): Uint8Array {
  const info = new Uint8Array(6);
  writeUint(info, 0, 3, unsigned24((latitude * 0x800000) / 90));
  writeUint(info, 3, 3, unsigned24((longitude * 0x800000) / 180));
  return info;
}
