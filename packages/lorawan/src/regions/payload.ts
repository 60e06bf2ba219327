/** How much a data rate carries. */
import type { RegionParameters } from "./types.ts";

export type PayloadConditions = { readonly repeater?: boolean; readonly dwell?: boolean };

/** M: the most octets of MACPayload. 0 where the dwell time forbids the data rate; `undefined` where there is none. */
export function maxMacPayload(
  region: RegionParameters,
  dr: number,
  { repeater = false, dwell = false }: PayloadConditions = {},
): number | undefined {
  const { dwellOff, dwellOn = dwellOff } = region.maxMacPayload[repeater ? "repeater" : "noRepeater"];
  return (dwell ? dwellOn : dwellOff)[dr] ?? undefined;
}

/** The most octets of FRMPayload beside `fOpts` octets of FOpts: M less FHDR (7) and FPort (1). */
export function maxFrmPayload(
  region: RegionParameters,
  dr: number,
  fOpts = 0,
  conditions: PayloadConditions = {},
): number | undefined {
  const most = maxMacPayload(region, dr, conditions);
  return most === undefined ? undefined : Math.max(most - 8 - fOpts, 0);
}
