/** The channels that a device may use, and how the network changes them. RP002-1.0.4 §2; TS001-1.0.4 §5.2, §5.6, §5.10 */
import { readUint } from "../octets.ts";
import type { ChannelFact, Region } from "../regions/index.ts";

export type Channel = ChannelFact & { readonly enabled: boolean; readonly downlinkHz?: number };
/** By channel index, which is also TxCh of the 1.1 MIC. */
export type Channels = readonly (Channel | undefined)[];

export const initialChannels = (region: Region): Channels =>
  region.channels.map((fact) => ({ ...fact, enabled: true }));

const mapEnabled = (channels: Channels, enabled: (index: number, was: boolean) => boolean): Channels =>
  channels.map((channel, index) => channel && { ...channel, enabled: enabled(index, channel.enabled) });

export function withChannel(channels: Channels, index: number, channel: Channel | undefined): Channels {
  const copy = Array.from({ length: Math.max(channels.length, index + 1) }, (_, i) => channels[i]);
  copy[index] = channel;
  return copy;
}

/** Applies a CFList of the kind that the region uses; another kind is ignored. RP002-1.0.4 §2.4.4, §2.5.4 */
export function withCfList(region: Region, channels: Channels, cfList: Uint8Array): Channels {
  const type = cfList[15];
  if (region.plan === "dynamic" && type === 0) {
    let out = channels;
    for (let i = 0; i < 5; i++) {
      const hz = readUint(cfList, 3 * i, 3) * 100;
      if (hz >= region.rangeHz[0] && hz <= region.rangeHz[1])
        out = withChannel(out, region.channels.length + i, { hz, minDr: 0, maxDr: 5, enabled: true });
    }
    return out;
  }
  if (region.plan === "fixed" && type === 1) {
    return mapEnabled(
      channels,
      (index) => (readUint(cfList, 2 * Math.floor(index / 16), 2) & (1 << (index % 16))) !== 0,
    );
  }
  return channels;
}

/** Channels after ChMaskCntl and ChMask, or nothing when the mask cannot be. */
export function withMask(region: Region, channels: Channels, cntl: number, mask: number): Channels | undefined {
  const bit = (index: number) => (mask & (1 << index)) !== 0;
  const wide = (index: number) => index >= 64;
  if (region.plan === "dynamic") {
    if (cntl === 6) return mapEnabled(channels, () => true);
    if (cntl !== 0) return undefined;
    // A mask bit for a channel that is not defined is an error.
    for (let i = 0; i < 16; i++) if (bit(i) && channels[i] === undefined) return undefined;
    return mapEnabled(channels, bit);
  }
  if (cntl <= 3) return mapEnabled(channels, (index, was) => (Math.floor(index / 16) === cntl ? bit(index % 16) : was));
  if (cntl === 4) return mapEnabled(channels, (index, was) => (wide(index) ? bit(index - 64) : was));
  if (cntl === 5) return mapEnabled(channels, (index) => bit(wide(index) ? index - 64 : Math.floor(index / 8)));
  if (cntl === 6 || cntl === 7) return mapEnabled(channels, (index) => (wide(index) ? bit(index - 64) : cntl === 6));
  return undefined;
}

/** Indices of channels that may be used with this data rate. */
export function usable(channels: Channels, dr: number): readonly number[] {
  return channels.flatMap((channel, index) =>
    channel?.enabled && channel.minDr <= dr && dr <= channel.maxDr ? [index] : [],
  );
}

/** Where the answer to a frame on this channel comes. */
export function rx1Hz(region: Region, channels: Channels, index: number): number {
  const channel = channels[index];
  if (channel === undefined) throw new RangeError(`channel ${index} is not defined`);
  return region.rx1Hz?.[index % 8] ?? channel.downlinkHz ?? channel.hz;
}
