import type { RegionParameters } from "../types.ts";
import { as923 } from "./as923.ts";

/** As AS923-1, 1.8 MHz lower. */
export const as923Group2 = {
  ...as923,
  name: "AS923_2",
  commonName: "AS923-2",
  source: "RP002-1.0.4, AS923-2; values and who confirms them: vectors/regions.json",
  frequencyRangeHz: [920_000_000, 923_000_000],
  uplinkChannels: [
    { first: 0, hz: 921_400_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
    { first: 1, hz: 921_600_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
  ],
  rx2: { hz: 921_400_000, dr: 2 },
  subBands: [{ fromHz: 921_400_000, toHz: 922_000_000, dutyCycle: 0.01, maxEirpDbm: 16 }],
  beacon: { dr: 3, channel: { rule: "fixed", hz: 921_600_000 } },
  pingSlot: { dr: 3, channel: { rule: "fixed", hz: 921_600_000 } },
  relayWor: [{ hz: 921_800_000, ackHz: 922_000_000, dr: 3 }],
} as const satisfies RegionParameters;
