import type { RegionParameters } from "../types.ts";
import { as923 } from "./as923.ts";

/** As AS923-1, 6.6 MHz lower. */
export const as923Group3 = {
  ...as923,
  name: "AS923_3",
  commonName: "AS923-3",
  source: "RP002-1.0.4, AS923-3; values and who confirms them: vectors/regions.json",
  frequencyRangeHz: [915_000_000, 921_000_000],
  uplinkChannels: [
    { first: 0, hz: 916_600_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
    { first: 1, hz: 916_800_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
  ],
  rx2: { hz: 916_600_000, dr: 2 },
  subBands: [{ fromHz: 916_500_000, toHz: 917_000_000, dutyCycle: 0.01, maxEirpDbm: 16 }],
  beacon: { dr: 3, channel: { rule: "fixed", hz: 916_800_000 } },
  pingSlot: { dr: 3, channel: { rule: "fixed", hz: 916_800_000 } },
  relayWor: [{ hz: 917_000_000, ackHz: 917_200_000, dr: 3 }],
} as const satisfies RegionParameters;
