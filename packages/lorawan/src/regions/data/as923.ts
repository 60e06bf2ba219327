import type { RegionParameters } from "../types.ts";
import { fsk50, sf7bw125, sf7bw250, sf8bw125, sf9bw125, sf10bw125, sf11bw125, sf12bw125 } from "./data-rates.ts";

export const as923 = {
  name: "AS923",
  commonName: "AS923",
  revision: "RP002-1.0.4",
  source: "RP002-1.0.4, AS923-1; values and who confirms them: vectors/regions.json",
  plan: "dynamic",
  maxChannels: 16,
  frequencyRangeHz: [915_000_000, 928_000_000],
  uplinkChannels: [
    { first: 0, hz: 923_200_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
    { first: 1, hz: 923_400_000, stepHz: 0, count: 1, dr: [0, 5], bwHz: 125_000 },
  ],
  join: [{ channels: [0, 1], dr: [2, 5] }],
  dataRates: {
    up: [sf12bw125, sf11bw125, sf10bw125, sf9bw125, sf8bw125, sf7bw125, sf7bw250, fsk50],
    down: [sf12bw125, sf11bw125, sf10bw125, sf9bw125, sf8bw125, sf7bw125, sf7bw250, fsk50],
  },
  maxMacPayload: {
    noRepeater: { dwellOff: [59, 59, 123, 123, 250, 250, 250, 250], dwellOn: [0, 0, 19, 61, 133, 250, 250, 250] },
    repeater: { dwellOff: [59, 59, 123, 123, 230, 230, 230, 230], dwellOn: [0, 0, 19, 61, 133, 230, 230, 230] },
  },
  rx1DataRates: {
    dwellOff: [
      [0, 0, 0, 0, 0, 0, 1, 2],
      [1, 0, 0, 0, 0, 0, 2, 3],
      [2, 1, 0, 0, 0, 0, 3, 4],
      [3, 2, 1, 0, 0, 0, 4, 5],
      [4, 3, 2, 1, 0, 0, 5, 6],
      [5, 4, 3, 2, 1, 0, 6, 7],
      [6, 5, 4, 3, 2, 1, 7, 7],
      [7, 6, 5, 4, 3, 2, 7, 7],
    ],
    dwellOn: [
      [2, 2, 2, 2, 2, 2, 2, 2],
      [2, 2, 2, 2, 2, 2, 2, 3],
      [2, 2, 2, 2, 2, 2, 3, 4],
      [3, 2, 2, 2, 2, 2, 4, 5],
      [4, 3, 2, 2, 2, 2, 5, 6],
      [5, 4, 3, 2, 2, 2, 6, 7],
      [6, 5, 4, 3, 2, 2, 7, 7],
      [7, 6, 5, 4, 3, 2, 7, 7],
    ],
  },
  rx1Channel: "uplink-frequency",
  rx2: { hz: 923_200_000, dr: 2 },
  cfListType: 0,
  channelMask: "mask16",
  txPower: { maxEirpDbm: 16, steps: [0, -2, -4, -6, -8, -10, -12, -14] },
  txParamSetup: true,
  dwellTime: { uplinkMs: 400, downlinkMs: 400, boot: { uplink: true, downlink: false } },
  subBands: [{ fromHz: 923_000_000, toHz: 923_500_000, dutyCycle: 0.01, maxEirpDbm: 16 }],
  listenBeforeTalk: { thresholdDbm: -80, durationMs: 5, bwHz: 200_000, mandatory: false, countries: ["JP"] },
  beacon: { dr: 3, channel: { rule: "fixed", hz: 923_400_000 } },
  pingSlot: { dr: 3, channel: { rule: "fixed", hz: 923_400_000 } },
  adrBackoff: [null, 0, 1, 2, 3, 4, 5, 6],
  relayWor: [{ hz: 923_600_000, ackHz: 923_800_000, dr: 3 }],
  unverified: [
    {
      field: "subBands",
      status: "disputed",
      why: "The rules are the countries'. The Things Stack has 1 % on the default channels, LoRaMac-node the same value but switched off, SWL2001 none: here the strictest.",
    },
    {
      field: "dwellTime.boot",
      status: "disputed",
      why: "RP002-1.0.4 leaves the uplink dwell time at boot to the country; both Semtech stacks boot with it on. A server takes it for on.",
    },
    {
      field: "downlinkEirp",
      status: "disputed",
      why: "What a gateway may radiate differs from source to source: it is the operator's to configure.",
    },
    {
      field: "listenBeforeTalk",
      status: "single-source",
      why: "Japanese rules as in the Semtech stacks and The Things gateway plans.",
    },
    {
      field: "maxMacPayload.repeater",
      status: "single-source",
      why: "Stated by brocaar/lorawan and ChirpStack alone (one lineage).",
    },
    { field: "beacon.layout", status: "single-source", why: "Stated by LoRaMac-node and SWL2001 alone (one lineage)." },
  ],
} as const satisfies RegionParameters;
