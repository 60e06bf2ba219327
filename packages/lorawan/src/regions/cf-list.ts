/** The CFList of a join-accept: 16 octets (TS001-1.0.4 §6.2.5, RP002-1.0.4 §2). */
import { defaultChannelCount } from "./channels.ts";
import type { RegionParameters } from "./types.ts";

const cfListOctets = 16;
const frequencies = 5;

/**
 * Dynamic plans: `channels` are up to five frequencies in Hz for the channels after the default ones (type 0).
 * Fixed plans: `channels` are the enabled channel indices (type 1); devices before 1.0.3 must be given none.
 * `undefined` when there is nothing to say. Throws `RangeError` for what does not fit: the caller's mistake.
 */
export function encodeCfList(region: RegionParameters, channels: readonly number[]): Uint8Array | undefined {
  if (channels.length === 0) return undefined;
  const octets = new Uint8Array(cfListOctets);
  octets[15] = region.cfListType;
  if (region.cfListType === 0) {
    if (channels.length > frequencies) throw new RangeError(`a CFList has room for ${frequencies} channels`);
    for (const [i, hz] of channels.entries()) writeFrequency(region, octets, i * 3, hz);
  } else {
    for (const index of channels) {
      if (!(index >= 0 && index < region.maxChannels)) throw new RangeError(`${region.name} has no channel ${index}`);
      octets[index >> 3] = (octets[index >> 3] ?? 0) | (1 << (index & 7));
    }
  }
  return octets;
}

function writeFrequency(region: RegionParameters, octets: Uint8Array, at: number, hz: number): void {
  const [from, to] = region.frequencyRangeHz;
  if (hz % 100 !== 0 || hz < from || hz > to) throw new RangeError(`${hz} Hz is no channel of ${region.name}`);
  const units = hz / 100;
  octets[at] = units & 0xff;
  octets[at + 1] = (units >> 8) & 0xff;
  octets[at + 2] = units >> 16;
}

/**
 * The channels that a type 0 CFList adds, by channel index (0 Hz entries are unused), as `uplinkChannelIndex` takes them.
 */
export function addedChannels(region: RegionParameters, cfList: Uint8Array | undefined): (number | undefined)[] {
  if (cfList?.length !== cfListOctets || cfList[15] !== 0 || region.cfListType !== 0) return [];
  const first = defaultChannelCount(region);
  const added: (number | undefined)[] = new Array(first).fill(undefined);
  for (let i = 0; i < frequencies; i++) {
    const [low = 0, middle = 0, high = 0] = cfList.subarray(i * 3, i * 3 + 3);
    const hz = (low + middle * 256 + high * 65_536) * 100;
    added[first + i] = hz === 0 ? undefined : hz;
  }
  return added;
}
