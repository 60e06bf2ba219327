import type { RegionParameters } from "../types.ts";
import { fsk50, sf7bw125, sf7bw250, sf8bw125, sf9bw125, sf10bw125, sf11bw125, sf12bw125 } from "./data-rates.ts";

export const cn779 = {
  name: "CN779",
  commonName: "CN779",
  revision: "RP002-1.0.3",
  source: "RP002-1.0.3, CN779-787; values and who confirms them: vectors/regions.json",
  plan: "dynamic",
  maxChannels: 16,
  frequencyRangeHz: [779_500_000, 786_500_000],
  uplinkChannels: [
    { first: 0, hz: 779_500_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
    { first: 1, hz: 779_700_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
    { first: 2, hz: 779_900_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
  ],
  join: [{ channels: [0, 2], dr: [0, 5] }],
  dataRates: {
    up: [sf12bw125, sf11bw125, sf10bw125, sf9bw125, sf8bw125, sf7bw125, sf7bw250, fsk50],
    down: [sf12bw125, sf11bw125, sf10bw125, sf9bw125, sf8bw125, sf7bw125, sf7bw250, fsk50],
  },
  maxMacPayload: {
    noRepeater: { dwellOff: [59, 59, 59, 123, 250, 250, 250, 250] },
    repeater: { dwellOff: [59, 59, 59, 123, 230, 230, 230, 230] },
  },
  rx1DataRates: {
    dwellOff: [
      [0, 0, 0, 0, 0, 0],
      [1, 0, 0, 0, 0, 0],
      [2, 1, 0, 0, 0, 0],
      [3, 2, 1, 0, 0, 0],
      [4, 3, 2, 1, 0, 0],
      [5, 4, 3, 2, 1, 0],
      [6, 5, 4, 3, 2, 1],
      [7, 6, 5, 4, 3, 2],
    ],
  },
  rx1Channel: "uplink-frequency",
  rx2: { hz: 786_000_000, dr: 0 },
  cfListType: 0,
  channelMask: "mask16",
  txPower: { maxEirpDbm: 12.15, steps: [0, -2, -4, -6, -8, -10] },
  txParamSetup: false,
  dwellTime: { uplinkMs: null, downlinkMs: null },
  subBands: [{ fromHz: 779_000_000, toHz: 787_000_000, dutyCycle: 0.01, maxEirpDbm: 12.15 }],
  beacon: { dr: 3, channel: { rule: "fixed", hz: 785_000_000 } },
  pingSlot: { dr: 3, channel: { rule: "fixed", hz: 785_000_000 } },
  adrBackoff: [null, 0, 1, 2, 3, 4, 5, 6],
  unverified: [
    {
      field: "revision",
      status: "disputed",
      why: "No definition in RP002-1.0.4: these are the values of RP002-1.0.3.",
    },
    {
      field: "maxMacPayload.repeater",
      status: "single-source",
      why: "Stated by brocaar/lorawan and ChirpStack alone (one lineage).",
    },
    { field: "beacon.layout", status: "single-source", why: "Stated by LoRaMac-node and SWL2001 alone (one lineage)." },
  ],
} as const satisfies RegionParameters;
