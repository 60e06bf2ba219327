import type { RegionParameters } from "../types.ts";
import { as923 } from "./as923.ts";

/** As AS923-1, 5.9 MHz lower. */
export const as923Group4 = {
  ...as923,
  name: "AS923_4",
  commonName: "AS923-4",
  source: "RP002-1.0.4, AS923-4; values and who confirms them: vectors/regions.json",
  frequencyRangeHz: [917_000_000, 920_000_000],
  uplinkChannels: [
    { first: 0, hz: 917_300_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
    { first: 1, hz: 917_500_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
  ],
  rx2: { hz: 917_300_000, dr: 2 },
  subBands: [{ fromHz: 917_300_000, toHz: 917_500_000, dutyCycle: 0.01, maxEirpDbm: 16 }],
  beacon: { dr: 3, channel: { rule: "fixed", hz: 917_500_000 } },
  pingSlot: { dr: 3, channel: { rule: "fixed", hz: 917_500_000 } },
  relayWor: [{ hz: 917_700_000, ackHz: 917_900_000, dr: 3 }],
} as const satisfies RegionParameters;
