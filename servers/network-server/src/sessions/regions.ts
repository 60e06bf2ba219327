/** Regions and channel sets as small integers, for columns. */
import { parseRegionName, type RegionName, type RegionParameters, regions } from "@trefoil/lorawan";

const names = Object.keys(regions) as RegionName[];

export const regionAt = (index: number): RegionParameters => regions[names[index] as RegionName];
export const regionNameAt = (index: number): RegionName => names[index] as RegionName;
const indices = new Map<string, number>(names.map((name, index) => [name, index]));
/** By any of its spellings; -1 for what is no region. */
export const regionIndex = (text: string): number =>
  indices.get(text) ?? indices.get(parseRegionName(text) ?? "") ?? -1;

/** Uplink channels beyond the region's defaults, by channel index. */
export type AddedChannels = readonly (number | undefined)[];

/** Most devices have one of a few channel sets: each is kept once. */
export class ChannelSets {
  readonly #sets: AddedChannels[] = [];
  readonly #indices = new Map<string, number>();

  /** `text` is JSON of a list of frequencies, null for none. */
  indexOf(text: string): number {
    const known = this.#indices.get(text);
    if (known !== undefined) return known;
    const list = JSON.parse(text) as (number | null)[];
    const index = this.#sets.push(list.map((hz) => hz ?? undefined)) - 1;
    this.#indices.set(text, index);
    return index;
  }
  at(index: number): AddedChannels {
    return this.#sets[index] as AddedChannels;
  }
}

export const noChannels = "[]";
