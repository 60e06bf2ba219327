import type { RegionParameters } from "../types.ts";
import { fsk50, sf7bw125, sf8bw125, sf9bw125, sf10bw125, sf11bw125, sf12bw125 } from "./data-rates.ts";

export const in865 = {
  name: "IN865",
  commonName: "IN865",
  revision: "RP002-1.0.4",
  source: "RP002-1.0.4, IN865-867; values and who confirms them: vectors/regions.json",
  plan: "dynamic",
  maxChannels: 16,
  frequencyRangeHz: [865_000_000, 867_000_000],
  uplinkChannels: [
    { first: 0, hz: 865_062_500, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
    { first: 1, hz: 865_402_500, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
    { first: 2, hz: 865_985_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
  ],
  join: [{ channels: [0, 2], dr: [0, 5] }],
  dataRates: {
    up: [sf12bw125, sf11bw125, sf10bw125, sf9bw125, sf8bw125, sf7bw125, null, fsk50],
    down: [sf12bw125, sf11bw125, sf10bw125, sf9bw125, sf8bw125, sf7bw125, null, fsk50],
  },
  maxMacPayload: {
    noRepeater: { dwellOff: [59, 59, 59, 123, 250, 250, null, 250] },
    repeater: { dwellOff: [59, 59, 59, 123, 230, 230, null, 230] },
  },
  rx1DataRates: {
    dwellOff: [
      [0, 0, 0, 0, 0, 0, 1, 2],
      [1, 0, 0, 0, 0, 0, 2, 3],
      [2, 1, 0, 0, 0, 0, 3, 4],
      [3, 2, 1, 0, 0, 0, 4, 5],
      [4, 3, 2, 1, 0, 0, 5, 5],
      [5, 4, 3, 2, 1, 0, 5, 7],
      null,
      [7, 5, 5, 4, 3, 2, 7, 7],
    ],
  },
  rx1Channel: "uplink-frequency",
  rx2: { hz: 866_550_000, dr: 2 },
  cfListType: 0,
  channelMask: "mask16",
  txPower: { maxEirpDbm: 30, steps: [0, -2, -4, -6, -8, -10, -12, -14, -16, -18, -20] },
  txParamSetup: false,
  dwellTime: { uplinkMs: null, downlinkMs: null },
  subBands: [],
  beacon: { dr: 4, channel: { rule: "fixed", hz: 866_550_000 } },
  pingSlot: { dr: 4, channel: { rule: "fixed", hz: 866_550_000 } },
  adrBackoff: [null, 0, 1, 2, 3, 4, undefined, 5],
  relayWor: [
    { hz: 866_000_000, ackHz: 866_200_000, dr: 3 },
    { hz: 866_700_000, ackHz: 866_900_000, dr: 3 },
  ],
  unverified: [
    {
      field: "rx1DataRates.someOffsets",
      status: "disputed",
      why: "Rows DR4 and DR5 at offsets 6 and 7, row DR7 at offset 1: six sources differ in four ways; DR6 is RFU in IN865. A network stays with offsets 0 to 5 and DR0 to DR5, where all agree.",
    },
    {
      field: "downlinkEirp",
      status: "disputed",
      why: "What a gateway may radiate differs from source to source: it is the operator's to configure.",
    },
    {
      field: "maxMacPayload.repeater",
      status: "single-source",
      why: "Stated by brocaar/lorawan and ChirpStack alone (one lineage).",
    },
    {
      field: "beacon",
      status: "single-source",
      why: "Stated by LoRaMac-node and SWL2001 alone (one lineage). Otherwise in The Things Stack.",
    },
    { field: "beacon.layout", status: "single-source", why: "Stated by LoRaMac-node and SWL2001 alone (one lineage)." },
    {
      field: "subBands",
      status: "single-source",
      why: "Stated by The Things Stack alone (one lineage). No sub-bands there.",
    },
  ],
} as const satisfies RegionParameters;
