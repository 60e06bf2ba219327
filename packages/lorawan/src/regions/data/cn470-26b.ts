import type { RegionParameters } from "../types.ts";
import { fsk50, sf7bw125, sf7bw500, sf8bw125, sf9bw125, sf10bw125, sf11bw125 } from "./data-rates.ts";

export const cn470Plan26B = {
  name: "CN470_26B",
  commonName: "CN470",
  revision: "RP002-1.0.4",
  source: "RP002-1.0.4, CN470-510 26 MHz antenna plan B; values and who confirms them: vectors/regions.json",
  plan: "fixed",
  maxChannels: 48,
  frequencyRangeHz: [470_000_000, 510_000_000],
  uplinkChannels: [{ first: 0, hz: 480_300_000, stepHz: 200_000, count: 48, dr: [1, 5], bwHz: 125_000 }],
  downlinkChannels: [{ first: 0, hz: 500_100_000, stepHz: 200_000, count: 24, dr: [1, 5], bwHz: 125_000 }],
  join: [{ channels: [0, 47], dr: [1, 5] }],
  joinChannels: [
    { index: 15, hz: 480_300_000, rx1Hz: 502_500_000, rx2Hz: 502_500_000 },
    { index: 16, hz: 482_300_000, rx1Hz: 502_500_000, rx2Hz: 502_500_000 },
    { index: 17, hz: 484_300_000, rx1Hz: 502_500_000, rx2Hz: 502_500_000 },
    { index: 18, hz: 486_300_000, rx1Hz: 502_500_000, rx2Hz: 502_500_000 },
    { index: 19, hz: 488_300_000, rx1Hz: 502_500_000, rx2Hz: 502_500_000 },
  ],
  dataRates: {
    up: [null, sf11bw125, sf10bw125, sf9bw125, sf8bw125, sf7bw125, sf7bw500, fsk50],
    down: [null, sf11bw125, sf10bw125, sf9bw125, sf8bw125, sf7bw125, sf7bw500, fsk50],
  },
  maxMacPayload: {
    noRepeater: { dwellOff: [0, 31, 94, 192, 250, 250, 250, 250] },
    repeater: { dwellOff: [0, 31, 94, 192, 230, 230, 230, 230] },
  },
  rx1DataRates: {
    dwellOff: [
      null,
      [1, 1, 1, 1, 1, 1],
      [2, 1, 1, 1, 1, 1],
      [3, 2, 1, 1, 1, 1],
      [4, 3, 2, 1, 1, 1],
      [5, 4, 3, 2, 1, 1],
      [6, 5, 4, 3, 2, 1],
      [7, 6, 5, 4, 3, 2],
    ],
  },
  rx1Channel: "index",
  rx2: { hz: 502_500_000, dr: 1 },
  cfListType: 1,
  channelMask: "mask48",
  txPower: { maxEirpDbm: 19.15, steps: [0, -2, -4, -6, -8, -10, -12, -14] },
  txParamSetup: false,
  dwellTime: { uplinkMs: 1000, downlinkMs: 1000 },
  subBands: [],
  beacon: { dr: 2, channel: { rule: "fixed", hz: 504_900_000 } },
  pingSlot: { dr: 2, channel: { rule: "fixed", hz: 504_900_000 } },
  adrBackoff: [undefined, null, 1, 2, 3, 4, 5, 6],
  relayWor: [
    { hz: 472_100_000, ackHz: 485_300_000, dr: 3 },
    { hz: 494_900_000, ackHz: 505_500_000, dr: 3 },
  ],
  unverified: [
    {
      field: "rx1DataRates",
      status: "single-source",
      why: "Stated by LoRaMac-node and SWL2001 alone (one lineage). Otherwise in The Things Stack.",
    },
    {
      field: "rx2",
      status: "single-source",
      why: "Stated by LoRaMac-node alone (one lineage). Otherwise in The Things Stack.",
    },
    { field: "beacon.layout", status: "single-source", why: "Stated by LoRaMac-node and SWL2001 alone (one lineage)." },
    { field: "relayWor", status: "single-source", why: "Stated by The Things Stack alone (one lineage)." },
    {
      field: "subBands",
      status: "single-source",
      why: "Stated by The Things Stack alone (one lineage). No sub-bands there.",
    },
    {
      field: "maxMacPayload.repeater",
      status: "single-source",
      why: "Stated by brocaar/lorawan and ChirpStack alone (one lineage).",
    },
  ],
} as const satisfies RegionParameters;
