/** `stat`: a gateway's own report, every half minute. Semtech PROTOCOL.TXT §4. Only the place is used; the rest is the gateway's view. */
import { isObject } from "./datagram.ts";

export type Location = { readonly latitude: number; readonly longitude: number; readonly altitude?: number };
/** `location` is absent from gateways without GPS. */
export type Stat = { readonly location?: Location };

const within = (value: unknown, most: number): value is number => typeof value === "number" && Math.abs(value) <= most;

/** `undefined` when it is no report. A place of 0, 0 is what a GPS without a fix says. */
export function readStat(stat: unknown): Stat | undefined {
  if (!isObject(stat)) return undefined;
  const { lati: latitude, long: longitude, alti: altitude } = stat;
  if (!within(latitude, 90) || !within(longitude, 180) || (latitude === 0 && longitude === 0)) return {};
  return { location: { latitude, longitude, ...(within(altitude, 100_000) ? { altitude } : {}) } };
}

/** About a hundred metres: a GPS wanders by less. */
export const hasMoved = (from: Location | undefined, to: Location): boolean =>
  !from || Math.abs(from.latitude - to.latitude) > 0.001 || Math.abs(from.longitude - to.longitude) > 0.001;
