import { describe, expect, test } from "vitest";
import vectors from "../../../../vectors/regions.json" with { type: "json" };
import { airtimeUs } from "./airtime.ts";

const { lora, fsk, lrfhss } = vectors.timeOnAir;

describe("time on air equals the published values (vectors/regions.json timeOnAir)", () => {
  test.each(lora)("LoRa SF$sf $bwHz Hz $codingRate, $phyPayloadBytes octets: $ms ms", (row) => {
    const rule = { crc: row.crc, codingRate: row.codingRate, implicitHeader: !row.explicitHeader };
    const options = { ...rule, preambleSymbols: row.preambleSymbols };
    const odd = "note" in row && row.note.includes("deliberately off") ? { lowDataRateOptimize: row.ldro } : {};
    const us = airtimeUs({ modulation: "LoRa", sf: row.sf, bwHz: row.bwHz }, row.phyPayloadBytes, {
      ...options,
      ...odd,
    });
    expect(us).toBe(Math.round(row.ms * 1000));
  });

  test.each(fsk)("FSK $bitrate bit/s, $phyPayloadBytes octets: $ms ms", (row) => {
    const rate = { modulation: "FSK", bitRate: row.bitrate, deviationHz: 25_000 } as const;
    expect(airtimeUs(rate, row.phyPayloadBytes)).toBe(Math.round(row.ms * 1000));
  });

  test.each(lrfhss)("LR-FHSS $codingRate, $phyPayloadBytes octets: $msExact ms", (row) => {
    for (const ocwHz of [137_000, 1_523_000]) {
      const rate = { modulation: "LR-FHSS", ocwHz, codingRate: row.codingRate as "1/3", gridHz: 3906 } as const;
      expect(airtimeUs(rate, row.phyPayloadBytes)).toBe(Math.round(row.msExact * 1000));
    }
  });
});

test("SF5 and SF6 have a preamble of 12 symbols when none is given (RP002-1.0.5, SX126x)", () => {
  expect(airtimeUs({ modulation: "LoRa", sf: 6, bwHz: 125_000 }, 20)).toBe(33_920);
});

test("one octet over a CN470 payload limit would exceed the dwell time of a second (RP002-1.0.4 CN470)", () => {
  for (const [sf, octets] of [
    [11, 36],
    [10, 99],
    [9, 197],
  ] as const) {
    expect(airtimeUs({ modulation: "LoRa", sf, bwHz: 125_000 }, octets)).toBeLessThanOrEqual(1_000_000);
    expect(airtimeUs({ modulation: "LoRa", sf, bwHz: 125_000 }, octets + 1)).toBeGreaterThan(1_000_000);
  }
});
