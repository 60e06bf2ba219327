/** Beacons and ping slots: where they are and how a beacon is laid out (TS001-1.0.4 §13, RP002-1.0.4 class B sections). */
import { downlinkChannelHz } from "./channels.ts";
import { dataRate } from "./data-rates.ts";
import type { RegionParameters, SlotChannel } from "./types.ts";

export type BeaconLayout = { readonly rfu1: number; readonly rfu2: number; readonly octets: number };

/** Octets before Param(1) Time(4) CRC(2), and between GwSpecific(7) and CRC(2); by spreading factor. */
const beaconLayouts: { readonly [sf: number]: BeaconLayout } = {
  8: { rfu1: 0, rfu2: 3, octets: 19 },
  9: { rfu1: 1, rfu2: 0, octets: 17 },
  10: { rfu1: 2, rfu2: 1, octets: 19 },
  11: { rfu1: 3, rfu2: 2, octets: 21 },
  12: { rfu1: 4, rfu2: 3, octets: 23 },
};
export const beaconPreambleSymbols = 10;
export const beaconPeriodS = 128;
export const beaconReservedMs = 2120;
export const pingSlotMs = 30;

export function beaconLayout(region: RegionParameters): BeaconLayout {
  const rate = dataRate(region, "down", region.beacon.dr);
  const layout = rate?.modulation === "LoRa" ? beaconLayouts[rate.sf] : undefined;
  if (!layout) throw new Error(`${region.name}: no beacon layout for DR${region.beacon.dr}`);
  return layout;
}

function slotHz(
  region: RegionParameters,
  channel: SlotChannel,
  turn: number,
  joinIndex: number | undefined,
): number | undefined {
  if (channel.rule === "fixed") return channel.hz;
  if (channel.rule === "hopping") return channel.hz + channel.stepHz * (turn % channel.count);
  const chosen = joinIndex === undefined ? undefined : channel.blocks[joinIndex];
  return chosen && downlinkChannelHz(region, chosen.first + (turn % chosen.count));
}

/** `beaconTimeS`: GPS seconds at the beacon's start. `joinIndex`: for the plans of CN470 where the join channel decides. */
export const beaconHz = (region: RegionParameters, beaconTimeS: number, joinIndex?: number): number | undefined =>
  slotHz(region, region.beacon.channel, Math.floor(beaconTimeS / beaconPeriodS), joinIndex);

/** `devAddr` as an unsigned number: it shifts the hop. */
export const pingSlotHz = (
  region: RegionParameters,
  devAddr: number,
  beaconTimeS: number,
  joinIndex?: number,
): number | undefined =>
  slotHz(region, region.pingSlot.channel, devAddr + Math.floor(beaconTimeS / beaconPeriodS), joinIndex);
