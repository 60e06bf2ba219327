/** Class A receive windows of one session after one uplink, as a gateway needs them (TS001-1.0.4 §3.3, RP002-1.0.4 RX1 and RX2 sections). */
import {
  dataRate,
  dataRateIndex,
  dataRateName,
  defaultRxDelayS,
  joinAcceptDelayS,
  joinWindows,
  maxEirpDbm,
  maxMacPayload,
  type RegionParameters,
  type RxWindow,
  rx1Window,
} from "@trefoil/lorawan";
import type { Window } from "@trefoil/wire";

/** `most`: octets of MACPayload that the data rate carries (M of RP002). */
export type ClassAWindow = Window & { readonly most: number };
export type Heard = { readonly hz: number; readonly dataRate: string | number; readonly codingRate?: string };
/** What the device believes: set by the join-accept, or the region's defaults. */
export type RxParameters = {
  readonly rxDelay: number;
  readonly rx1DrOffset: number;
  readonly rx2DataRate: number;
  readonly rx2Hz: number;
};

/** RxDelay 0 means 1 (TS001-1.0.4 §6.2.5). */
export const rxDelaySeconds = (rxDelay: number) => (rxDelay === 0 ? 1 : rxDelay);

/** RX1 and RX2 after a data uplink. RX1 is absent where the region knows no such uplink. */
export function classAWindows(region: RegionParameters, parameters: RxParameters, uplink: Heard): ClassAWindow[] {
  const dr = dataRateIndex(region, "up", uplink.dataRate, uplink.codingRate);
  const rx1 = dr === undefined ? undefined : rx1Window(region, uplink.hz, dr, parameters.rx1DrOffset);
  const delay = rxDelaySeconds(parameters.rxDelay);
  return [
    ...window(region, rx1, delay),
    ...window(region, rx2Of(region, parameters), delay + defaultRxDelayS.rx2 - defaultRxDelayS.rx1),
  ];
}

/** Both windows for a join-accept. */
export function joinAcceptWindows(region: RegionParameters, uplink: Heard): ClassAWindow[] {
  const dr = dataRateIndex(region, "up", uplink.dataRate, uplink.codingRate);
  const { rx1, rx2 } = joinWindows(region, uplink.hz, dr ?? -1);
  return [...window(region, rx1, joinAcceptDelayS.rx1), ...window(region, rx2, joinAcceptDelayS.rx2)];
}

function rx2Of(region: RegionParameters, { rx2DataRate, rx2Hz }: RxParameters): RxWindow | undefined {
  const rate = dataRate(region, "down", rx2DataRate);
  return rate && { hz: rx2Hz, dr: rx2DataRate, dataRate: dataRateName(rate), codingRate: "4/5" };
}

function window(region: RegionParameters, at: RxWindow | undefined, delaySeconds: number): ClassAWindow[] {
  if (!at) return [];
  const { hz, dr, dataRate: name, codingRate } = at;
  const most = maxMacPayload(region, dr) ?? 0;
  return [{ delayUs: delaySeconds * 1_000_000, hz, dataRate: name, codingRate, eirpDbm: maxEirpDbm(region, hz), most }];
}
