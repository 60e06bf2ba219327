/** Data rates by index and by the name that gateways give them (Semtech `datr`, with `codr` for LR-FHSS). */
import type { DataRate, Direction, RegionParameters } from "./types.ts";

/** "SF7BW125" for LoRa, a bit rate in bit/s for FSK, "M0CW137" for LR-FHSS. */
export type DataRateName = string | number;

export function dataRateName(rate: DataRate): DataRateName {
  if (rate.modulation === "LoRa") return `SF${rate.sf}BW${rate.bwHz / 1000}`;
  return rate.modulation === "FSK" ? rate.bitRate : `M0CW${rate.ocwHz / 1000}`;
}

/** LR-FHSS coding rates as Semtech and ChirpStack spell them (2/6, 4/6), and as the specification does. */
const lrFhssCodingRates: { readonly [spelling: string]: "1/3" | "2/3" } = {
  "1/3": "1/3",
  "2/6": "1/3",
  "2/3": "2/3",
  "4/6": "2/3",
};

/** The modulation that a name stands for, in any region; `undefined` for what is no data rate. */
export function parseDataRate(name: DataRateName, codingRate?: string): DataRate | undefined {
  if (typeof name === "number")
    return name > 0 && name <= 1_000_000 ? { modulation: "FSK", bitRate: name, deviationHz: name / 2 } : undefined;
  const lora = /^SF([5-9]|1[0-2])BW(125|250|500)$/.exec(name);
  if (lora) return { modulation: "LoRa", sf: Number(lora[1]), bwHz: Number(lora[2]) * 1000 };
  const width = /^M0CW(137|336|1523)$/.exec(name)?.[1];
  const rate = codingRate === undefined ? undefined : lrFhssCodingRates[codingRate];
  if (!width || !rate) return undefined;
  const ocwHz = Number(width) * 1000;
  return { modulation: "LR-FHSS", ocwHz, codingRate: rate, gridHz: ocwHz === 1_523_000 ? 25_391 : 3_906 };
}

/** The data rate with this index in this direction, if the region has it. */
export const dataRate = (region: RegionParameters, direction: Direction, dr: number): DataRate | undefined =>
  region.dataRates[direction][dr] ?? undefined;

type Indices = { readonly [direction in Direction]: ReadonlyMap<DataRateName, number> };
const indices = new WeakMap<RegionParameters, Indices>();

/** LR-FHSS names alone do not tell the coding rate. */
const key = (name: DataRateName, codingRate?: string): DataRateName =>
  typeof name === "string" && name.startsWith("M0") ? `${name} ${lrFhssCodingRates[codingRate ?? ""]}` : name;

function indicesOf(region: RegionParameters): Indices {
  const known = indices.get(region);
  if (known) return known;
  const table = (rates: readonly (DataRate | null)[]) =>
    new Map(
      rates.flatMap((rate, dr) =>
        rate ? [[key(dataRateName(rate), "codingRate" in rate ? rate.codingRate : undefined), dr] as const] : [],
      ),
    );
  const made = { up: table(region.dataRates.up), down: table(region.dataRates.down) };
  indices.set(region, made);
  return made;
}

/** The index of a data rate that a gateway named. `codingRate` matters for LR-FHSS alone. */
export const dataRateIndex = (
  region: RegionParameters,
  direction: Direction,
  name: DataRateName,
  codingRate?: string,
): number | undefined => indicesOf(region)[direction].get(key(name, codingRate));
