/** EU863-870. RP002-1.0.4 §2.4 */
import type { Region } from "./region.ts";

const lora = (sf: number, kHz = 125) => ({ sf, bwHz: kHz * 1000 });

export const eu868: Region = {
  name: "EU868",
  rangeHz: [863_000_000, 870_000_000],
  // DR8 to DR11 are LR-FHSS: these radios have none.
  rates: [lora(12), lora(11), lora(10), lora(9), lora(8), lora(7), lora(7, 250), { bitrate: 50_000 }],
  maxMacPayload: [59, 59, 59, 123, 250, 250, 250, 250],
  channels: [868_100_000, 868_300_000, 868_500_000].map((hz) => ({ hz, minDr: 0, maxDr: 5 })),
  plan: "dynamic",
  rx1Dr: [
    [0, 0, 0, 0, 0, 0],
    [1, 0, 0, 0, 0, 0],
    [2, 1, 0, 0, 0, 0],
    [3, 2, 1, 0, 0, 0],
    [4, 3, 2, 1, 0, 0],
    [5, 4, 3, 2, 1, 0],
    [6, 5, 4, 3, 2, 1],
    [7, 6, 5, 4, 3, 2],
  ],
  rx2: { hz: 869_525_000, dr: 0 },
  maxEirpDbm: 16,
  maxTxPowerIndex: 7,
  gateway: {
    multiHz: [868_100_000, 868_300_000, 868_500_000, 867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000],
    wide: { hz: 868_300_000, rate: lora(7, 250) },
    txRangeHz: [863_000_000, 870_000_000],
  },
};
