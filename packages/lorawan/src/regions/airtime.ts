/**
 * Exact time on air, in whole microseconds.
 *
 * LoRa: SX127x and SX126x data sheets. FSK: preamble 5, sync word 3, length 1, CRC 2 octets (RP002-1.0.4). LR-FHSS: header
 * replicas of 114 bits, then blocks of 48 coded bits each led by 2; the last block is as short as what is left.
 */
import type { DataRate, LoRaDataRate, LrFhssDataRate } from "./types.ts";

export type AirtimeOptions = {
  /** Uplinks carry a CRC, downlinks and beacons do not. */
  readonly crc?: boolean;
  /** "4/5" … "4/8". LoRa only: LR-FHSS has its coding rate in the data rate. */
  readonly codingRate?: string;
  readonly implicitHeader?: boolean;
  readonly preambleSymbols?: number;
  /** Only for odd transmitters: the rule decides (a symbol of 16 ms or more). */
  readonly lowDataRateOptimize?: boolean;
};

/** `octets` is the length of the PHYPayload. */
export function airtimeUs(rate: DataRate, octets: number, options: AirtimeOptions = {}): number {
  if (rate.modulation === "FSK") return Math.round(((octets + 11) * 8 * 1_000_000) / rate.bitRate);
  return rate.modulation === "LoRa" ? loraUs(rate, octets, options) : lrFhssUs(rate, octets);
}

function loraUs({ sf, bwHz }: LoRaDataRate, octets: number, options: AirtimeOptions): number {
  const symbolUs = (2 ** sf * 1_000_000) / bwHz;
  const short = sf <= 6; // SF5 and SF6: a longer preamble, no 8 extra bits
  const optimize = !short && (options.lowDataRateOptimize ?? symbolUs >= 16_000);
  const bits =
    8 * octets - 4 * sf + (short ? 20 : 28) + (options.crc === false ? 0 : 16) - (options.implicitHeader ? 20 : 0);
  const codeword = Number((options.codingRate ?? "4/5").at(2));
  const payload = Math.max(Math.ceil(bits / (4 * (optimize ? sf - 2 : sf))) * codeword, 0);
  const preamble = (options.preambleSymbols ?? (short ? 12 : 8)) + (short ? 6.25 : 4.25);
  return (preamble + 8 + payload) * symbolUs;
}

/** 488.28125 bit/s. */
const lrFhssBitUs = 2048;

function lrFhssUs({ codingRate }: LrFhssDataRate, octets: number): number {
  const coded = (8 * (octets + 2) + 6) * (codingRate === "1/3" ? 3 : 1.5);
  const last = coded % 48;
  const blocks = Math.floor(coded / 48) * 50 + (last > 0 ? last + 2 : 0);
  return (114 * (codingRate === "1/3" ? 3 : 2) + blocks) * lrFhssBitUs;
}
