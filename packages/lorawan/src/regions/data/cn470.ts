import type { RegionParameters } from "../types.ts";
import { sf7bw125, sf8bw125, sf9bw125, sf10bw125, sf11bw125, sf12bw125 } from "./data-rates.ts";

export const cn470 = {
  name: "CN470",
  commonName: "CN470",
  revision: "RP001-1.1revB",
  source: "RP001 1.1revB, CN470-510; values and who confirms them: vectors/regions.json",
  plan: "fixed",
  maxChannels: 96,
  frequencyRangeHz: [470_000_000, 510_000_000],
  uplinkChannels: [{ first: 0, hz: 470_300_000, stepHz: 200_000, count: 96, dr: [0, 5], bwHz: 125_000 }],
  downlinkChannels: [{ first: 0, hz: 500_300_000, stepHz: 200_000, count: 48, dr: [0, 5], bwHz: 125_000 }],
  join: [{ channels: [0, 95], dr: [0, 5] }],
  dataRates: {
    up: [sf12bw125, sf11bw125, sf10bw125, sf9bw125, sf8bw125, sf7bw125],
    down: [sf12bw125, sf11bw125, sf10bw125, sf9bw125, sf8bw125, sf7bw125],
  },
  maxMacPayload: {
    noRepeater: { dwellOff: [59, 59, 59, 123, 250, 250] },
    repeater: { dwellOff: [59, 59, 59, 123, 230, 230] },
  },
  rx1DataRates: {
    dwellOff: [
      [0, 0, 0, 0, 0, 0],
      [1, 0, 0, 0, 0, 0],
      [2, 1, 0, 0, 0, 0],
      [3, 2, 1, 0, 0, 0],
      [4, 3, 2, 1, 0, 0],
      [5, 4, 3, 2, 1, 0],
    ],
  },
  rx1Channel: "index",
  rx2: { hz: 505_300_000, dr: 0 },
  cfListType: 1,
  channelMask: "mask96",
  txPower: { maxEirpDbm: 19.15, steps: [0, -2, -4, -6, -8, -10, -12, -14] },
  txParamSetup: false,
  dwellTime: { uplinkMs: null, downlinkMs: null },
  subBands: [],
  beacon: { dr: 2, channel: { rule: "hopping", hz: 508_300_000, stepHz: 200_000, count: 8 } },
  pingSlot: { dr: 2, channel: { rule: "hopping", hz: 508_300_000, stepHz: 200_000, count: 8 } },
  adrBackoff: [null, 0, 1, 2, 3, 4],
  unverified: [
    { field: "listenBeforeTalk", status: "single-source", why: "SWL2001 alone: -80 dBm, 5 ms." },
    {
      field: "maxMacPayload.repeater",
      status: "single-source",
      why: "Stated by brocaar/lorawan and ChirpStack alone (one lineage).",
    },
    { field: "beacon.layout", status: "single-source", why: "Stated by SWL2001 alone (one lineage)." },
    {
      field: "subBands",
      status: "single-source",
      why: "Stated by The Things Stack alone (one lineage). No sub-bands there.",
    },
  ],
} as const satisfies RegionParameters;
