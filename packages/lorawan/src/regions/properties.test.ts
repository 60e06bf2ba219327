/** What must hold in every region, whatever its values. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { airtimeUs } from "./airtime.ts";
import { addedChannels, encodeCfList } from "./cf-list.ts";
import { applyChannelMask, channelMaskCommands } from "./channel-mask.ts";
import { defaultChannelCount, downlinkChannelHz, uplinkChannelHz, uplinkChannelIndex } from "./channels.ts";
import { beaconHz, pingSlotHz } from "./class-b.ts";
import { dataRate, dataRateIndex, dataRateName, parseDataRate } from "./data-rates.ts";
import { maxFrmPayload, maxMacPayload } from "./payload.ts";
import { regions } from "./regions.ts";
import { maxEirpDbm, mayTransmitAt, subBandAt } from "./sub-bands.ts";
import { txPowerDbm } from "./tx-power.ts";
import type { RegionParameters } from "./types.ts";
import { joinWindows, rx1Window, rx2Window } from "./windows.ts";

const all = Object.entries<RegionParameters>(regions);
const channels = (region: RegionParameters) =>
  Array.from({ length: defaultChannelCount(region) }, (_, i) => uplinkChannelHz(region, i) as number);
const rates = (region: RegionParameters, direction: "up" | "down") =>
  region.dataRates[direction].flatMap((rate, dr) => (rate ? [{ rate, dr }] : []));

describe.each(all)("%s", (_, region) => {
  test("each channel's index is its own within 1 kHz, and nobody's beyond", () => {
    for (const [index, hz] of channels(region).entries()) {
      for (const error of [-1000, -24, 0, 24, 1000]) expect(uplinkChannelIndex(region, hz + error)).toBe(index);
      for (const error of [-1001, 1001]) expect(uplinkChannelIndex(region, hz + error)).toBeUndefined();
    }
  });

  test("each channel, RX1 and RX2 lies in the region's frequencies and in no gap between sub-bands", () => {
    const heard = channels(region).flatMap((hz) => [hz, rx1Window(region, hz, 2)?.hz ?? hz]);
    for (const hz of [...heard, rx2Window(region).hz]) expect([hz, mayTransmitAt(region, hz)]).toEqual([hz, true]);
  });

  test("each data rate has a name that leads back to it in its direction", () => {
    for (const direction of ["up", "down"] as const)
      for (const { rate, dr } of rates(region, direction)) {
        const codingRate = rate.modulation === "LR-FHSS" ? rate.codingRate : "4/5";
        expect(dataRateIndex(region, direction, dataRateName(rate), codingRate)).toBe(dr);
        expect(parseDataRate(dataRateName(rate), codingRate)).toEqual(rate);
      }
  });

  test("RX1 exists for each usable uplink data rate and offset, on a downlink data rate; a higher offset up to 5 is never faster", () => {
    const [hz = 0] = channels(region);
    for (const { dr } of rates(region, "up"))
      for (const dwell of [false, true]) {
        const row = region.rx1DataRates.dwellOff[dr];
        const windows = row?.map((_, offset) => rx1Window(region, hz, dr, offset, dwell)) ?? [];
        expect(windows.length).toBeGreaterThan(0);
        expect(windows).not.toContain(undefined);
        const slow = windows.slice(0, 6).map((window) => window?.dr ?? -1);
        expect(slow).toEqual(slow.toSorted((a, b) => b - a));
        expect(rx1Window(region, hz, dr, row?.length)).toBeUndefined();
      }
  });

  test("an uplink on no channel has no RX1 in a fixed plan, and RX1 on its own frequency in a dynamic one", () => {
    const hz = (channels(region)[0] ?? 0) + 50_000;
    expect(rx1Window(region, hz, 3)?.hz).toBe(region.plan === "fixed" ? undefined : hz);
    expect(rx1Window(region, hz, 15)).toBeUndefined();
  });

  test("join-accept windows exist for each channel and data rate of a join-request", () => {
    for (const {
      channels: [first, last],
      dr: [min, max],
    } of region.join)
      for (let index = first; index <= last; index++)
        for (let dr = min; dr <= max; dr++) {
          const { rx1, rx2 } = joinWindows(region, uplinkChannelHz(region, index) ?? 0, dr);
          expect(rx1).toBeDefined();
          expect(maxMacPayload(region, rx2.dr)).toBeGreaterThanOrEqual(28); // a join-accept with CFList, less MHDR and MIC
        }
  });

  test("payload limits: M only where there is a data rate, repeater and dwell never allow more, N is M - 8", () => {
    for (let dr = 0; dr < 16; dr++) {
      const m = maxMacPayload(region, dr);
      const known = dataRate(region, "up", dr) ?? dataRate(region, "down", dr);
      if (m) expect(known).toBeDefined();
      if (!known) expect(m ?? 0).toBe(0);
      if (m === undefined) continue;
      expect(maxMacPayload(region, dr, { repeater: true })).toBeLessThanOrEqual(Math.min(m, 230));
      expect(maxMacPayload(region, dr, { dwell: true })).toBeLessThanOrEqual(m);
      expect(maxFrmPayload(region, dr)).toBe(Math.max(m - 8, 0));
      expect(maxFrmPayload(region, dr, 15)).toBe(Math.max(m - 23, 0));
    }
  });

  test("payload limits never shrink from one LoRa data rate to a faster one of the same bandwidth", () => {
    for (const direction of ["up", "down"] as const)
      for (const dwell of [false, true]) {
        const lora = rates(region, direction).flatMap(({ rate, dr }) =>
          rate.modulation === "LoRa"
            ? [{ sf: rate.sf, bwHz: rate.bwHz, m: maxMacPayload(region, dr, { dwell }) ?? -1 }]
            : [],
        );
        for (const a of lora)
          for (const b of lora) if (a.bwHz === b.bwHz && a.sf > b.sf) expect(a.m).toBeLessThanOrEqual(b.m);
      }
  });

  test("an uplink dwell time holds for the longest uplink of each 125 kHz data rate", () => {
    const limit = region.dwellTime.uplinkMs;
    if (limit === null) return expect(region.maxMacPayload.noRepeater.dwellOn).toBeUndefined();
    for (const { rate, dr } of rates(region, "up")) {
      const m = maxMacPayload(region, dr, { dwell: true });
      if (rate.modulation !== "LoRa" || rate.bwHz !== 125_000 || !m) continue;
      expect(airtimeUs(rate, m + 5)).toBeLessThanOrEqual(limit * 1000);
    }
  });

  test("sub-bands are in order and touch at most", () => {
    region.subBands.reduce((end, { fromHz, toHz }) => {
      expect(fromHz).toBeGreaterThanOrEqual(end);
      expect(toHz).toBeGreaterThan(fromHz);
      return toHz;
    }, 0);
    for (const band of region.subBands) expect(subBandAt(region, band.fromHz + 1)).toEqual(band);
  });

  test("no frequency allows less than nothing: EIRP is a sub-band's, or the region's", () => {
    for (const hz of channels(region)) {
      const eirp = maxEirpDbm(region, hz);
      expect(eirp).toBeGreaterThanOrEqual(10);
      expect(eirp).toBeLessThanOrEqual(30);
    }
    expect(txPowerDbm(region, 0)).toBe(region.txPower.maxEirpDbm);
    expect(txPowerDbm(region, region.txPower.steps.length)).toBeUndefined();
  });

  test("the commands for a wanted set of channels bring about that set, whatever was enabled before (TS001 §5.3)", () => {
    const size = region.plan === "fixed" ? region.maxChannels : 8;
    const set = fc.uniqueArray(fc.nat(size - 1)).map((list) => new Set(list));
    const defined = new Set(Array.from({ length: size }, (_, i) => i));
    fc.assert(
      fc.property(set, fc.oneof(set, fc.constant(defined)), (before, wanted) => {
        let now: ReadonlySet<number> | undefined = before;
        for (const command of channelMaskCommands(region, wanted))
          now = now && applyChannelMask(region, now, defined, command);
        expect([...(now ?? [-1])].toSorted()).toEqual([...wanted].toSorted());
      }),
      { numRuns: 50 },
    );
  });

  test("a mask never enables a channel that is not defined, and RFU controls change nothing", () => {
    fc.assert(
      fc.property(fc.nat(15), fc.nat(0xffff), (chMaskCntl, chMask) => {
        const defined = new Set([0, 1, 2]);
        const next = applyChannelMask(region, new Set([0]), defined, { chMaskCntl, chMask });
        for (const channel of next ?? []) expect(defined.has(channel)).toBe(true);
        if (chMaskCntl > 7) expect(next).toBeUndefined();
      }),
    );
  });

  test("channels of a CFList get the indices after the default ones (RP002-1.0.4 §2)", () => {
    const count = defaultChannelCount(region);
    if (region.cfListType === 1) {
      const list = encodeCfList(region, [0, 9, region.maxChannels - 1]);
      expect(list?.length).toBe(16);
      expect(list?.at(15)).toBe(1);
      expect([list?.[0], list?.[1]]).toEqual([1, 2]);
      expect(list?.[(region.maxChannels - 1) >> 3]).toBe(0x80);
      expect(() => encodeCfList(region, [region.maxChannels])).toThrow(RangeError);
      return;
    }
    const [from, to] = region.frequencyRangeHz;
    const extra = Array.from({ length: 5 }, (_, i) => Math.round((from + ((to - from) * (i + 1)) / 7) / 100) * 100);
    const added = addedChannels(region, encodeCfList(region, extra));
    for (const [i, hz] of extra.entries()) {
      const own = uplinkChannelIndex(region, hz);
      expect(uplinkChannelIndex(region, hz + 24, added)).toBe(own ?? count + i);
    }
    expect(() => encodeCfList(region, [...extra, from])).toThrow(RangeError);
    expect(() => encodeCfList(region, [to + 100])).toThrow(RangeError);
    expect(encodeCfList(region, [])).toBeUndefined();
  });

  test("beacons and ping slots use a frequency of the region at a downlink data rate", () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(1e9), (devAddr, time) => {
        const joins = region.joinChannels?.map(({ index }) => index) ?? [undefined];
        for (const join of joins)
          for (const hz of [beaconHz(region, time, join), pingSlotHz(region, devAddr, time, join)])
            expect(mayTransmitAt(region, hz ?? 0)).toBe(true);
      }),
      { numRuns: 30 },
    );
    expect(dataRate(region, "down", region.beacon.dr)).toBeDefined();
    expect(dataRate(region, "down", region.pingSlot.dr)).toBeDefined();
  });
});

test("no two regions' tables confuse directions: US915 DR8 is a downlink's, not an uplink's (RP002-1.0.4 US902-928)", () => {
  expect(dataRate(regions.US915, "up", 8)).toBeUndefined();
  expect(dataRateName(dataRate(regions.US915, "down", 8) as never)).toBe("SF12BW500");
  expect(dataRateIndex(regions.US915, "up", "SF8BW500")).toBe(4);
  expect(dataRateIndex(regions.US915, "down", "SF8BW500")).toBe(12);
  expect(dataRateIndex(regions.EU868, "down", "M0CW137", "2/6")).toBeUndefined();
  expect(dataRateIndex(regions.EU868, "up", "M0CW137", "4/6")).toBe(9);
  expect(downlinkChannelHz(regions.US915, 8)).toBeUndefined();
});
