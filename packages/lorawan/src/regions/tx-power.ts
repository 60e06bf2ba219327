/** TxParamSetupReq's MaxEIRP codes (TS001-1.0.4 §5.10) and the TXPower steps of LinkADRReq. */
import type { RegionParameters } from "./types.ts";

/** dBm by code. */
export const txParamSetupEirpDbm = [8, 10, 12, 13, 14, 16, 18, 20, 21, 24, 26, 27, 29, 30, 33, 36] as const;

/** EIRP in dBm for a TXPower index; `undefined` for an index that the region does not define. */
export function txPowerDbm(region: RegionParameters, index: number, maxEirpDbm = region.txPower.maxEirpDbm) {
  const step = region.txPower.steps[index];
  return step === undefined ? undefined : maxEirpDbm + step;
}
