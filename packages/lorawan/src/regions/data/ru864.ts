import type { RegionParameters } from "../types.ts";
import { fsk50, sf7bw125, sf7bw250, sf8bw125, sf9bw125, sf10bw125, sf11bw125, sf12bw125 } from "./data-rates.ts";

export const ru864 = {
  name: "RU864",
  commonName: "RU864",
  revision: "RP002-1.0.4",
  source: "RP002-1.0.4, RU864-870; values and who confirms them: vectors/regions.json",
  plan: "dynamic",
  maxChannels: 16,
  frequencyRangeHz: [864_000_000, 870_000_000],
  uplinkChannels: [
    { first: 0, hz: 868_900_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
    { first: 1, hz: 869_100_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
  ],
  join: [{ channels: [0, 1], dr: [0, 5] }],
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
  rx2: { hz: 869_100_000, dr: 0 },
  cfListType: 0,
  channelMask: "mask16",
  txPower: { maxEirpDbm: 16, steps: [0, -2, -4, -6, -8, -10, -12, -14] },
  txParamSetup: false,
  dwellTime: { uplinkMs: null, downlinkMs: null },
  subBands: [{ fromHz: 864_000_000, toHz: 870_000_000, dutyCycle: 0.01, maxEirpDbm: 16 }],
  beacon: { dr: 3, channel: { rule: "fixed", hz: 869_100_000 } },
  pingSlot: { dr: 3, channel: { rule: "fixed", hz: 868_900_000 } },
  adrBackoff: [null, 0, 1, 2, 3, 4, 5, 6],
  relayWor: [
    { hz: 866_100_000, ackHz: 866_300_000, dr: 3 },
    { hz: 866_500_000, ackHz: 866_900_000, dr: 3 },
  ],
  unverified: [
    {
      field: "subBands",
      status: "unresolved",
      why: "1 % everywhere (The Things Stack, LoRaMac-node) or 864-865 MHz 0.1 %, 866-868 MHz 1 %, 868.7-869.2 MHz 10 % (SWL2001); no page of the specification seen.",
    },
    {
      field: "maxMacPayload.repeater",
      status: "single-source",
      why: "Stated by brocaar/lorawan and ChirpStack alone (one lineage).",
    },
    { field: "beacon.layout", status: "single-source", why: "Stated by LoRaMac-node and SWL2001 alone (one lineage)." },
    { field: "relayWor", status: "single-source", why: "Stated by The Things Stack alone (one lineage)." },
  ],
} as const satisfies RegionParameters;
