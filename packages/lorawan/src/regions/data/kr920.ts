import type { RegionParameters } from "../types.ts";
import { sf7bw125, sf8bw125, sf9bw125, sf10bw125, sf11bw125, sf12bw125 } from "./data-rates.ts";

export const kr920 = {
  name: "KR920",
  commonName: "KR920",
  revision: "RP002-1.0.4",
  source: "RP002-1.0.4, KR920-923; values and who confirms them: vectors/regions.json",
  plan: "dynamic",
  maxChannels: 16,
  frequencyRangeHz: [920_900_000, 923_300_000],
  uplinkChannels: [
    { first: 0, hz: 922_100_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
    { first: 1, hz: 922_300_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
    { first: 2, hz: 922_500_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
  ],
  join: [{ channels: [0, 2], dr: [0, 5] }],
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
  rx1Channel: "uplink-frequency",
  rx2: { hz: 921_900_000, dr: 0 },
  cfListType: 0,
  channelMask: "mask16",
  txPower: { maxEirpDbm: 14, steps: [0, -2, -4, -6, -8, -10, -12, -14], below: { hz: 922_000_000, maxEirpDbm: 10 } },
  txParamSetup: false,
  dwellTime: { uplinkMs: null, downlinkMs: null },
  subBands: [],
  listenBeforeTalk: { thresholdDbm: -65, durationMs: 6, bwHz: 200_000, mandatory: true },
  beacon: { dr: 3, channel: { rule: "fixed", hz: 923_100_000 } },
  pingSlot: { dr: 3, channel: { rule: "fixed", hz: 923_100_000 } },
  adrBackoff: [null, 0, 1, 2, 3, 4],
  relayWor: [
    { hz: 922_700_000, ackHz: 922_900_000, dr: 3 },
    { hz: 923_100_000, ackHz: 923_100_000, dr: 3 },
  ],
  unverified: [
    {
      field: "downlinkEirp",
      status: "disputed",
      why: "What a gateway may radiate differs from source to source: it is the operator's to configure.",
    },
    {
      field: "listenBeforeTalk",
      status: "disputed",
      why: "-65 dBm and 6 ms (LoRaMac-node) or -80 dBm and 5 ms (SWL2001); the specification gives no figures.",
    },
    {
      field: "maxMacPayload.repeater",
      status: "single-source",
      why: "Stated by brocaar/lorawan and ChirpStack alone (one lineage).",
    },
    { field: "beacon.layout", status: "single-source", why: "Stated by LoRaMac-node and SWL2001 alone (one lineage)." },
    {
      field: "subBands",
      status: "single-source",
      why: "Stated by The Things Stack alone (one lineage). No sub-bands there.",
    },
  ],
} as const satisfies RegionParameters;
