/** The regions of RP002-1.0.4, and which of them an operator gets without insisting. */
import { as923 } from "./data/as923.ts";
import { as923Group2 } from "./data/as923-2.ts";
import { as923Group3 } from "./data/as923-3.ts";
import { as923Group4 } from "./data/as923-4.ts";
import { au915 } from "./data/au915.ts";
import { cn470 } from "./data/cn470.ts";
import { cn470Plan20A } from "./data/cn470-20a.ts";
import { cn470Plan20B } from "./data/cn470-20b.ts";
import { cn470Plan26A } from "./data/cn470-26a.ts";
import { cn470Plan26B } from "./data/cn470-26b.ts";
import { cn779 } from "./data/cn779.ts";
import { eu433 } from "./data/eu433.ts";
import { eu868 } from "./data/eu868.ts";
import { in865 } from "./data/in865.ts";
import { kr920 } from "./data/kr920.ts";
import { ru864 } from "./data/ru864.ts";
import { us915 } from "./data/us915.ts";
import type { RegionParameters, Unverified } from "./types.ts";

export const regions = {
  EU868: eu868,
  US915: us915,
  EU433: eu433,
  AU915: au915,
  CN470: cn470,
  CN470_20A: cn470Plan20A,
  CN470_20B: cn470Plan20B,
  CN470_26A: cn470Plan26A,
  CN470_26B: cn470Plan26B,
  CN779: cn779,
  AS923: as923,
  AS923_2: as923Group2,
  AS923_3: as923Group3,
  AS923_4: as923Group4,
  KR920: kr920,
  IN865: in865,
  RU864: ru864,
} as const satisfies { readonly [name: string]: RegionParameters };
export type RegionName = keyof typeof regions;

/**
 * Where a wrong value would make network and class A device miss each other. A region with a mark on one of these is
 * refused. Marks elsewhere (repeaters, class B, relays, listen before talk) are shown, not refused.
 */
const needed: ReadonlySet<string> = new Set([
  "revision",
  "uplinkChannels",
  "downlinkChannels",
  "dataRates",
  "maxMacPayload.noRepeater",
  "rx1DataRates",
  "rx1Channel",
  "rx2",
  "cfListType",
  "channelMask",
  "txPower",
]);

/**
 * The marks for which a region is refused: any on a needed field, and a legal limit (sub-bands) about which the sources
 * contradict each other with nothing to decide between them.
 */
export const blockingMarks = (region: RegionParameters): readonly Unverified[] =>
  region.unverified.filter(
    ({ field, status }) => needed.has(field) || (field === "subBands" && status === "unresolved"),
  );

/** "AS923-1" and "AS923_1" are AS923; dashes and underscores are alike. */
export function parseRegionName(text: string): RegionName | undefined {
  const name = text.toUpperCase().replaceAll("-", "_").replace("AS923_1", "AS923");
  return Object.hasOwn(regions, name) ? (name as RegionName) : undefined;
}

export type RegionChoice =
  | { readonly region: RegionParameters }
  | { readonly refused: "region/unknown" }
  | { readonly refused: "region/unverified"; readonly unverified: readonly Unverified[] };

/** A region by name. One whose needed values are unverified is refused unless the operator insists. */
export function regionParameters(name: string, options: { readonly allowUnverified?: boolean } = {}): RegionChoice {
  const known = parseRegionName(name);
  if (!known) return { refused: "region/unknown" };
  const region: RegionParameters = regions[known];
  const unverified = blockingMarks(region);
  if (unverified.length > 0 && !options.allowUnverified) return { refused: "region/unverified", unverified };
  return { region };
}
