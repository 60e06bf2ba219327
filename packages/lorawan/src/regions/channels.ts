/** Channels by index and by frequency. Gateways report 868.099976 MHz for 868.1: a channel is met within 1 kHz. */
import type { ChannelBlock, RegionParameters } from "./types.ts";

const toleranceHz = 1000;
const near = (a: number, b: number) => Math.abs(a - b) <= toleranceHz;

/** Frequencies are carried in units of 100 Hz (TS001 §5.6): what a gateway measured, put back on that grid. */
export const onGrid = (hz: number): number => Math.round(hz / 100) * 100;

function indexIn(blocks: readonly ChannelBlock[], hz: number): number | undefined {
  for (const { first, hz: start, stepHz, count } of blocks) {
    const step = stepHz === 0 ? 0 : Math.round((hz - start) / stepHz);
    if (step >= 0 && step < count && near(hz, start + step * stepHz)) return first + step;
  }
  return undefined;
}

function hzIn(blocks: readonly ChannelBlock[], index: number): number | undefined {
  const block = blocks.find(({ first, count }) => index >= first && index < first + count);
  return block && block.hz + (index - block.first) * block.stepHz;
}

/** How many channels exist before any CFList or NewChannelReq. */
export const defaultChannelCount = (region: RegionParameters): number =>
  region.uplinkChannels.reduce((sum, { count }) => sum + count, 0);

/**
 * The device's channel index for an uplink frequency: the region's channels, then those added by CFList or NewChannelReq.
 * `added` is indexed by channel number; an entry below the default count replaces nothing. The LoRaWAN 1.1 uplink MIC
 * needs this index (TS001-1.1 §4.4), never the gateway's `chan`.
 */
export function uplinkChannelIndex(
  region: RegionParameters,
  hz: number,
  added: readonly (number | undefined)[] = [],
): number | undefined {
  const own = indexIn(region.uplinkChannels, hz);
  if (own !== undefined) return own;
  const index = added.findIndex((channel) => channel !== undefined && near(channel, hz));
  return index < 0 ? undefined : index;
}

export const uplinkChannelHz = (region: RegionParameters, index: number): number | undefined =>
  hzIn(region.uplinkChannels, index);

export const downlinkChannelHz = (region: RegionParameters, index: number): number | undefined =>
  region.downlinkChannels && hzIn(region.downlinkChannels, index);

/** The row of the join table (CN470 of RP002) that a join-request's frequency stands for. */
export const joinChannel = (region: RegionParameters, hz: number) =>
  region.joinChannels?.find((channel) => near(channel.hz, hz));
