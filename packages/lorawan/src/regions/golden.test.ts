/**
 * Our data against the facts in vectors/regions.json, field by field and region by region. Each field of that file is put
 * into our words here; what is left out is listed in `elsewhere`, so a new field there makes a test fail.
 */
import { describe, expect, test } from "vitest";
import vectors from "../../../../vectors/regions.json" with { type: "json" };
import { defaultChannelCount, uplinkChannelHz } from "./channels.ts";
import { beaconLayout } from "./class-b.ts";
import { regions } from "./regions.ts";
import { txParamSetupEirpDbm } from "./tx-power.ts";
import type { ChannelBlock, DataRate, RegionParameters, SlotChannel } from "./types.ts";

// biome-ignore lint/suspicious/noExplicitAny: the file's shape differs from region to region
type Facts = any;
const facts: Facts = vectors.regions;

const rate = (r: Facts): DataRate =>
  r.mod === "LORA"
    ? { modulation: "LoRa", sf: r.sf, bwHz: r.bwHz }
    : r.mod === "FSK"
      ? { modulation: "FSK", bitRate: r.bitrate, deviationHz: r.freqDevHz }
      : { modulation: "LR-FHSS", ocwHz: r.ocwHz, codingRate: r.codingRate, gridHz: r.gridHz };
const block = (b: Facts): ChannelBlock => ({
  first: b.firstIndex,
  hz: b.startHz,
  stepHz: b.stepHz,
  count: b.count,
  dr: b.drRange,
  bwHz: b.bwHz,
});
const dwell = ({ dwellOff, dwellOn }: Facts) => (dwellOn === null ? { dwellOff } : { dwellOff, dwellOn });
const slotRule = (channel: SlotChannel, devAddr: string) => {
  const turn = devAddr === "" ? "floor(beaconTime/128)" : `(${devAddr} + floor(beaconTime/128))`;
  return channel.rule === "hopping" ? `hz = ${channel.hz} + ${channel.stepHz} * (${turn} mod ${channel.count})` : "";
};

/** How each field of the file is said in ours. */
const same: { [field: string]: (ours: RegionParameters, theirs: Facts) => void } = {
  commonName: (o, t) => expect(o.commonName).toBe(t),
  planId: (o, t) => expect(o.name).toBe(t),
  channelPlan: (o, t) => expect(o.plan).toBe(t),
  maxChannels: (o, t) => expect(o.maxChannels).toBe(t),
  freqRangeHz: (o, t) => expect(o.frequencyRangeHz).toEqual(t),
  defaultUplinkChannels: (o, t) =>
    t === "see uplinkChannelRule" ||
    expect(o.uplinkChannels).toEqual(
      t.map((c: Facts, first: number) => ({
        first,
        hz: c.hz,
        stepHz: 0,
        count: 1,
        dr: [c.minDr, c.maxDr],
        bwHz: 125_000,
      })),
    ),
  uplinkChannelRule: (o, t) => t && expect(o.uplinkChannels).toEqual(t.map(block)),
  downlinkChannelRule: (o, t) => expect(o.downlinkChannels).toEqual(t?.map(block)),
  joinChannels: (o, t) => {
    if (typeof t === "string") {
      const rows = vectors.common.cn470JoinChannels.filter(({ plan }) => plan === o.name);
      expect(o.joinChannels).toEqual(
        rows.map(({ index, uplinkHz: hz, rx1Hz, rx2Hz }) => ({ index, hz, rx1Hz, rx2Hz })),
      );
      expect(new Set(rows.map(({ drRange }) => drRange.join()))).toEqual(new Set([o.join[0]?.dr.join()]));
    } else if (t.indices) expect(o.join).toEqual([{ channels: [0, t.indices.at(-1)], dr: t.drRange }]);
    else if (t.drRange125)
      expect(o.join).toEqual([
        { channels: [0, 63], dr: t.drRange125 },
        { channels: [64, 71], dr: t.drRange500 },
      ]);
    else expect(o.join).toEqual([{ channels: [0, 95], dr: t.drRange }]);
  },
  dataRates: (o, t) => {
    for (const direction of ["up", "down"] as const) {
      const theirs = t.filter((r: Facts) => r.direction === "both" || r.direction === direction);
      const ours = o.dataRates[direction].flatMap((r, dr) => (r ? [{ dr, ...r }] : []));
      expect(ours).toEqual(theirs.map((r: Facts) => ({ dr: r.dr, ...rate(r) })));
      expect(t.filter((r: Facts) => r.codingRate && r.mod === "LORA" && r.codingRate !== "4/5")).toEqual([]);
    }
  },
  maxPayload: (o, t) =>
    expect(o.maxMacPayload).toEqual({ noRepeater: dwell(t.noRepeater), repeater: dwell(t.repeater) }),
  rx1DrTable: (o, t) => {
    expect(o.rx1DataRates).toEqual(dwell(t));
    for (const row of o.rx1DataRates.dwellOff) if (row) expect(row).toHaveLength(t.maxOffset + 1);
  },
  rx1Channel: (o, t) => {
    expect(o.rx1Channel).toBe(t === "same-as-uplink" ? "uplink-frequency" : "index");
    const modulo = / mod (\d+)/.exec(t)?.[1] ?? (o.rx1Channel === "index" ? defaultChannelCount(o) : undefined);
    if (modulo) expect(o.downlinkChannels?.reduce((sum, { count }) => sum + count, 0)).toBe(Number(modulo));
  },
  rx2: (o, t) =>
    expect(o.rx2).toEqual("abpHz" in t ? { hz: t.abpHz, dr: t.dr, byJoinChannel: t.otaaHzByJoinIndex } : t),
  cfListType: (o, t) => expect(o.cfListType).toBe(t),
  channelMask: (o, t) => expect(o.channelMask).toBe(t.algorithm),
  txPowerEirp: (o, t) => {
    const below = t.byFrequency?.[0];
    expect(o.txPower).toEqual({
      maxEirpDbm: t.maxEirpDbm,
      steps: t.steps,
      ...(below && { below: { hz: below.belowHz, maxEirpDbm: below.maxEirpDbm } }),
    });
    expect(o.txPower.steps).toHaveLength(t.maxTxPowerIndex + 1);
  },
  maxEirpByTxParam: (o, t) => expect(o.txParamSetup).toBe(t !== null),
  tsrTxParamSetup: (o, t) => expect(o.txParamSetup).toBe(t),
  dwellTime: (o, t) => {
    expect(o.dwellTime).toMatchObject({ uplinkMs: t.uplinkMs, downlinkMs: t.downlinkMs });
    expect(o.dwellTime.boot !== undefined).toBe(t.controlledByTxParamSetup);
    if (t.bootDownlinkDwell !== undefined) expect(o.dwellTime.boot?.downlink).toBe(t.bootDownlinkDwell === 1);
  },
  dutyCycle: (o, t) => expect(o.subBands).toEqual(t.map(({ note: _, ...band }: Facts) => band)),
  pingSlot: (o, t) => {
    expect(o.pingSlot.dr).toBe(t.dr);
    const { channel } = o.pingSlot;
    if (t.hz) expect(channel).toEqual({ rule: "fixed", hz: t.hz });
    else if (channel.rule === "hopping") expect(slotRule(channel, "DevAddr")).toBe(t.rule);
    else expect(channel.rule).toBe("by-join-channel"); // class-b.test.ts has the values
  },
  beacon: (o, t) => {
    expect(o.beacon.dr).toBe(t.dr);
    const { channel } = o.beacon;
    if (t.hz) expect(channel).toEqual({ rule: "fixed", hz: t.hz });
    else if (channel.rule === "hopping") expect(slotRule(channel, "")).toBe(t.rule);
    else expect(channel.rule).toBe("by-join-channel");
    const { rfu1Bytes: rfu1, rfu2Bytes: rfu2, sizeBytes: octets } = t.layout;
    expect(beaconLayout(o)).toEqual({ rfu1, rfu2, octets });
  },
  lbt: (o, t) => {
    if (t?.thresholdDbm === undefined) return expect(o.listenBeforeTalk).toBeUndefined();
    const { note: _, mandatory = false, ...values } = t;
    expect(o.listenBeforeTalk).toEqual({ ...values, mandatory });
  },
  relay: (o, t) => expect(o.relayWor).toEqual(t?.wor),
  adrBackoff: (o, t) => {
    const ours = Object.fromEntries(o.adrBackoff.flatMap((dr, i) => (dr === undefined ? [] : [[i, dr]])));
    const { dwellOn: _, ...theirs } = t;
    expect(ours).toEqual(theirs);
  },
};

/** Prose, what another field says too, what RP002-1.0.5 adds, and common defaults. */
const elsewhere = new Set(
  "specId freqStepHz rp002_1_0_5 revisionNotes defaults conductedLimits deviceTuningRangeHz status freqOffsetHz freqGridHz dutyCycleAlternative".split(
    " ",
  ),
);

test("every region of the file but ISM2400, which is no region of RP002, is ours", () => {
  expect(Object.keys(regions).sort()).toEqual(
    Object.keys(facts)
      .filter((name) => name !== "ISM2400")
      .sort(),
  );
});

describe.each(Object.entries<RegionParameters>(regions))("%s (RP002-1.0.4)", (name, ours) => {
  test.each(Object.keys(facts[name]).filter((field) => !elsewhere.has(field)))(
    "%s as in vectors/regions.json",
    (field) => {
      const compare = same[field];
      if (!compare) throw new Error(`no comparison for ${field}`);
      compare(ours, facts[name][field]);
    },
  );

  test("frequencies step by 100 Hz (TS001-1.0.4 §5.6)", () => {
    expect(facts[name].freqStepHz).toBe(100);
    for (let i = 0; i < defaultChannelCount(ours); i++) expect((uplinkChannelHz(ours, i) ?? 1) % 100).toBe(0);
  });
});

test("TxParamSetupReq's MaxEIRP codes (TS001-1.0.4 §5.10)", () => {
  expect(txParamSetupEirpDbm).toEqual(vectors.common.txParamSetupMaxEirp.dBm);
});
