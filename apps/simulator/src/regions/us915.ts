/** US902-928. RP002-1.0.4 §2.5 */
import type { ChannelFact, Region } from "./region.ts";

const lora = (sf: number, kHz = 125) => ({ sf, bwHz: kHz * 1000 });
const narrow: ChannelFact[] = Array.from({ length: 64 }, (_, i) => ({
  hz: 902_300_000 + 200_000 * i,
  minDr: 0,
  maxDr: 3,
}));
const wide: ChannelFact[] = Array.from({ length: 8 }, (_, i) => ({
  hz: 903_000_000 + 1_600_000 * i,
  minDr: 4,
  maxDr: 4,
}));

export const us915: Region = {
  name: "US915",
  rangeHz: [902_000_000, 928_000_000],
  // DR5 and DR6 are LR-FHSS, DR7 is undefined.
  rates: [
    ...[lora(10), lora(9), lora(8), lora(7), lora(8, 500), undefined, undefined, undefined],
    ...[lora(12, 500), lora(11, 500), lora(10, 500), lora(9, 500), lora(8, 500), lora(7, 500)],
  ],
  maxMacPayload: [19, 61, 133, 250, 250, 0, 0, 0, 61, 137, 250, 250, 250, 250],
  channels: [...narrow, ...wide],
  plan: "fixed",
  rx1Dr: [
    [10, 9, 8, 8],
    [11, 10, 9, 8],
    [12, 11, 10, 9],
    [13, 12, 11, 10],
    [13, 13, 12, 11],
  ],
  rx1Hz: Array.from({ length: 8 }, (_, i) => 923_300_000 + 600_000 * i),
  rx2: { hz: 923_300_000, dr: 8 },
  maxEirpDbm: 30,
  maxTxPowerIndex: 14,
  // The second bank of eight ("FSB 2"), as most gateways there are set up.
  gateway: {
    multiHz: Array.from({ length: 8 }, (_, i) => 903_900_000 + 200_000 * i),
    wide: { hz: 904_600_000, rate: lora(8, 500) },
    txRangeHz: [902_000_000, 928_000_000],
  },
};
