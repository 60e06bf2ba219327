/** Class A receive windows: where a device listens after an uplink (RP002-1.0.4 RX1 and RX2 sections of each region). */
import { downlinkChannelHz, joinChannel, onGrid, uplinkChannelIndex } from "./channels.ts";
import { type DataRateName, dataRate, dataRateName } from "./data-rates.ts";
import type { RegionParameters } from "./types.ts";

export type RxWindow = {
  readonly hz: number;
  readonly dr: number;
  readonly dataRate: DataRateName;
  /** For LoRa; FSK ignores it. */
  readonly codingRate: "4/5";
};

/** Seconds after the end of the uplink (RP002-1.0.4 §3.1, common defaults). RX2 is always one second after RX1. */
export const joinAcceptDelayS = { rx1: 5, rx2: 6 } as const;
export const defaultRxDelayS = { rx1: 1, rx2: 2 } as const;

function windowAt(region: RegionParameters, hz: number | undefined, dr: number | undefined): RxWindow | undefined {
  const rate = dr === undefined ? undefined : dataRate(region, "down", dr);
  if (hz === undefined || dr === undefined || !rate) return undefined;
  return { hz, dr, dataRate: dataRateName(rate), codingRate: "4/5" };
}

function rx1Hz(region: RegionParameters, uplinkHz: number): number | undefined {
  if (region.rx1Channel === "uplink-frequency") return onGrid(uplinkHz);
  const index = uplinkChannelIndex(region, uplinkHz);
  const count = region.downlinkChannels?.reduce((sum, block) => sum + block.count, 0) ?? 0;
  return index === undefined ? undefined : downlinkChannelHz(region, index % count);
}

/**
 * RX1 for a data uplink. `downlinkDwell` is DownlinkDwellTime as the device last accepted it (TxParamSetupReq).
 * `undefined` when the region knows no such uplink: no RX1, the frame goes out in RX2.
 */
export function rx1Window(
  region: RegionParameters,
  uplinkHz: number,
  uplinkDr: number,
  rx1DrOffset = 0,
  downlinkDwell = false,
): RxWindow | undefined {
  const { dwellOff, dwellOn = dwellOff } = region.rx1DataRates;
  const rows = downlinkDwell ? dwellOn : dwellOff;
  return windowAt(region, rx1Hz(region, uplinkHz), rows[uplinkDr]?.[rx1DrOffset]);
}

/** RX2 with the region's own settings. `joinHz` is the frequency of the join-request, where RX2 follows from it (CN470). */
export function rx2Window(region: RegionParameters, joinHz?: number): RxWindow {
  const join = joinHz === undefined ? undefined : joinChannel(region, joinHz);
  const hz = (join && region.rx2.byJoinChannel?.[join.index]) ?? region.rx2.hz;
  return windowAt(region, hz, region.rx2.dr) as RxWindow;
}

/** Both windows for a join-accept: offset 0, and in CN470 the frequencies of the join table instead of the RX1 rule. */
export function joinWindows(
  region: RegionParameters,
  uplinkHz: number,
  uplinkDr: number,
): { readonly rx1: RxWindow | undefined; readonly rx2: RxWindow } {
  const join = joinChannel(region, uplinkHz);
  const rx1 = join
    ? windowAt(region, join.rx1Hz, region.rx1DataRates.dwellOff[uplinkDr]?.[0])
    : rx1Window(region, uplinkHz, uplinkDr);
  return { rx1, rx2: join ? (windowAt(region, join.rx2Hz, region.rx2.dr) as RxWindow) : rx2Window(region) };
}
