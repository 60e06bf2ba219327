/** The data rates that regions build their tables from; several regions share most of them. */
import type { FskDataRate, LoRaDataRate, LrFhssDataRate } from "../types.ts";

const lora = (sf: number, kHz: number): LoRaDataRate => ({ modulation: "LoRa", sf, bwHz: kHz * 1000 });
const lrFhss = (ocwKHz: number, codingRate: "1/3" | "2/3", gridHz: number): LrFhssDataRate => ({
  modulation: "LR-FHSS",
  ocwHz: ocwKHz * 1000,
  codingRate,
  gridHz,
});

export const sf12bw125 = lora(12, 125);
export const sf11bw125 = lora(11, 125);
export const sf10bw125 = lora(10, 125);
export const sf9bw125 = lora(9, 125);
export const sf8bw125 = lora(8, 125);
export const sf7bw125 = lora(7, 125);
export const sf7bw250 = lora(7, 250);
export const sf12bw500 = lora(12, 500);
export const sf11bw500 = lora(11, 500);
export const sf10bw500 = lora(10, 500);
export const sf9bw500 = lora(9, 500);
export const sf8bw500 = lora(8, 500);
export const sf7bw500 = lora(7, 500);
export const fsk50 = { modulation: "FSK", bitRate: 50_000, deviationHz: 25_000 } as const satisfies FskDataRate;
export const lrFhss137cr1 = lrFhss(137, "1/3", 3906);
export const lrFhss137cr2 = lrFhss(137, "2/3", 3906);
export const lrFhss336cr1 = lrFhss(336, "1/3", 3906);
export const lrFhss336cr2 = lrFhss(336, "2/3", 3906);
export const lrFhss1523cr1 = lrFhss(1523, "1/3", 25_391);
export const lrFhss1523cr2 = lrFhss(1523, "2/3", 25_391);
