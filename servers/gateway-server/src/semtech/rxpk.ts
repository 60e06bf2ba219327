/**
 * One element of `rxpk`: a frame that a gateway heard. Semtech PROTOCOL.TXT §4, and what newer forwarders add (`rsig`, LR-FHSS).
 * The PHYPayload stays base64 on its way: here it is made canonical, so that equal frames are equal texts.
 */
import type { DataRateName } from "@trefoil/wire";
import { isObject } from "./datagram.ts";

export type Antenna = {
  readonly antenna?: number;
  readonly channel?: number;
  /** dBm */
  readonly rssi: number;
  /** dB; FSK has none. */
  readonly snr?: number;
};
export type Rxpk = {
  readonly phyPayload: string;
  readonly hz: number;
  readonly dataRate: DataRateName;
  readonly codingRate?: string;
  /** The concentrator's 32-bit microsecond counter at the frame's end. */
  readonly tmst: number;
  readonly gpsTimeMs?: number;
  /** One for each antenna that heard it. */
  readonly antennas: readonly Antenna[];
};
export type RxpkRefusal =
  | "rxpk/not-an-object"
  | "rxpk/crc-bad"
  | "rxpk/no-crc"
  | "rxpk/tmst"
  | "rxpk/freq"
  | "rxpk/modu"
  | "rxpk/datr"
  | "rxpk/codr"
  | "rxpk/rssi"
  | "rxpk/data"
  | "rxpk/size";

const loraNames = new Set([5, 6, 7, 8, 9, 10, 11, 12].flatMap((sf) => [125, 250, 500].map((bw) => `SF${sf}BW${bw}`)));
const lrFhssNames = new Set(["M0CW137", "M0CW336", "M0CW1523"]);
const loraCodingRates = new Set(["4/5", "4/6", "4/7", "4/8", "4/5LI", "4/6LI", "4/8LI"]);
const lrFhssCodingRates = new Set(["1/3", "2/3", "2/6", "4/6"]);
/** RFC 4648 §4 with padding and no stray bits. */
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/;
const mostPhyOctets = 255;
/** Some time in the 22nd century: what is later is no time. */
const latestGpsMs = 4_000_000_000_000;
/** Antennas of one gateway. */
const mostSignals = 16;

/** A frame, or why it is none. Frames with a wrong CRC, or without one, are no uplinks (RP002: uplinks carry a CRC). */
export function readRxpk(rxpk: unknown): Rxpk | RxpkRefusal {
  if (!isObject(rxpk)) return "rxpk/not-an-object";
  const { stat, tmst, freq, modu, datr, codr, tmms, data, size } = rxpk;
  if (stat === -1) return "rxpk/crc-bad";
  if (stat !== undefined && stat !== 1) return "rxpk/no-crc";
  if (!isCount(tmst, 0xffff_ffff)) return "rxpk/tmst";
  if (typeof freq !== "number" || !(freq > 100 && freq < 3000)) return "rxpk/freq";
  const phyPayload = readData(data);
  if (phyPayload === undefined) return "rxpk/data";
  if (size !== undefined && size !== octetsOf(phyPayload)) return "rxpk/size";
  const rate = readRate(modu, datr, codr);
  if (typeof rate === "string") return rate;
  const antennas = readAntennas(rxpk);
  if (antennas === undefined) return "rxpk/rssi";
  const hz = Math.round(freq * 1_000_000);
  const gps = isCount(tmms, latestGpsMs) ? { gpsTimeMs: tmms } : undefined;
  return { phyPayload, hz, tmst, antennas, ...rate, ...gps };
}

const isCount = (value: unknown, most: number): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most;
const isLevel = (value: unknown): value is number => typeof value === "number" && value > -300 && value < 300;

/** How many octets canonical base64 stands for. */
export function octetsOf(text: string): number {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return (text.length / 4) * 3 - padding;
}

function readData(data: unknown): string | undefined {
  if (typeof data !== "string" || data.length < 2 || data.length > (mostPhyOctets / 3) * 4) return undefined;
  const padded = data.length % 4 === 0 ? data : data.padEnd(Math.ceil(data.length / 4) * 4, "="); // Padding is optional.
  return base64.test(padded) ? padded : undefined;
}

type Rate = { readonly dataRate: DataRateName; readonly codingRate?: string };
function readRate(modu: unknown, datr: unknown, codr: unknown): Rate | "rxpk/modu" | "rxpk/datr" | "rxpk/codr" {
  if (modu === "LORA") {
    if (typeof datr !== "string" || !loraNames.has(datr)) return "rxpk/datr";
    return typeof codr === "string" && loraCodingRates.has(codr) ? { dataRate: datr, codingRate: codr } : "rxpk/codr";
  }
  if (modu === "FSK") return isCount(datr, 1_000_000) && datr > 0 ? { dataRate: datr } : "rxpk/datr";
  if (modu !== "LR-FHSS") return "rxpk/modu";
  if (typeof datr !== "string" || !lrFhssNames.has(datr)) return "rxpk/datr";
  return typeof codr === "string" && lrFhssCodingRates.has(codr) ? { dataRate: datr, codingRate: codr } : "rxpk/codr";
}

function readAntennas({ rsig, rssi, lsnr, chan, ant }: Record<string, unknown>): Antenna[] | undefined {
  if (!Array.isArray(rsig)) return isLevel(rssi) ? [antenna(rssi, lsnr, chan, ant)] : undefined;
  const heard: Antenna[] = [];
  for (const signal of rsig.slice(0, mostSignals)) {
    if (!isObject(signal)) return undefined;
    const level = signal.rssic ?? signal.rssi;
    if (!isLevel(level)) return undefined;
    heard.push(antenna(level, signal.lsnr, signal.chan ?? chan, signal.ant));
  }
  return heard.length > 0 ? heard : undefined;
}

function antenna(rssi: number, snr: unknown, channel: unknown, ant: unknown): Antenna {
  const one: { -readonly [name in keyof Antenna]: Antenna[name] } = { rssi };
  if (isLevel(snr)) one.snr = snr;
  if (isCount(channel, 255)) one.channel = channel;
  if (isCount(ant, 255)) one.antenna = ant;
  return one;
}
