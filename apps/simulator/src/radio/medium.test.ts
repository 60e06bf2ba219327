import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "./clock.ts";
import { type Ear, type Emission, type Heard, Medium } from "./medium.ts";
import { airtimeUs } from "./modulation.ts";
import { pathLossDb } from "./propagation.ts";

const sf7 = { sf: 7, bwHz: 125_000 };
const device = { id: "device", position: [0, 0, 1] as const };
const gateway = { id: "gateway", position: [200, 0, 10] as const };
const calm = { exponent: 2.9, shadowingDb: 0, seed: 1 };

const downlink = (changes: Partial<Emission> = {}): Emission => ({
  ...{
    from: gateway,
    startUs: 1_000_000,
    endUs: 1_050_000,
    hz: 868_100_000,
    rate: sf7,
    inverted: true,
    eirpDbm: 14,
    octets: Uint8Array.of(0x60),
  },
  ...changes,
});

async function heardBy(
  window: { hz?: number; opensUs?: number },
  ...emissions: readonly Emission[]
): Promise<Heard | undefined> {
  const clock = new VirtualClock();
  const medium = new Medium(clock, calm);
  let result: Heard | undefined | "open" = "open";
  medium.listen(
    { at: device, opensUs: window.opensUs ?? 1_000_000, toleranceUs: 500, hz: window.hz ?? 868_100_000, rate: sf7 },
    (heard) => {
      result = heard;
    },
  );
  for (const emission of emissions) medium.emit(emission);
  await clock.runUntil(3_000_000);
  if (result === "open") throw new Error("the window never closed");
  return result;
}

describe("a device's receive window (TS001-1.0.4 §3.3)", () => {
  test("hears what begins at its instant", async () => {
    const heard = await heardBy({}, downlink());
    expect(heard).toMatchObject({ octets: Uint8Array.of(0x60), endUs: 1_050_000 });
  });
  test.each([-500, 500])("tolerates %i µs", async (offset) => {
    expect(await heardBy({}, downlink({ startUs: 1_000_000 + offset }))).toBeDefined();
  });
  test.each([-1000, -501, 501, 1000])("hears nothing that begins %i µs off", async (offset) => {
    expect(await heardBy({}, downlink({ startUs: 1_000_000 + offset }))).toBeUndefined();
  });
  test.each<[string, Partial<Emission>]>([
    ["another frequency", { hz: 868_300_000 }],
    ["another spreading factor", { rate: { sf: 8, bwHz: 125_000 } }],
    ["another bandwidth", { rate: { sf: 7, bwHz: 250_000 } }],
    ["the polarity of uplinks", { inverted: false }],
    ["too little power", { eirpDbm: -60 }],
    ["FSK", { rate: { bitrate: 50_000 } }],
  ])("hears nothing with %s", async (_, changes) => {
    expect(await heardBy({}, downlink(changes))).toBeUndefined();
  });
  test("a stronger frame captures, two alike destroy each other", async () => {
    const near = { id: "near", position: [20, 0, 10] as const };
    const twin = { id: "twin", position: [-200, 0, 10] as const };
    const strong = downlink({ from: near, octets: Uint8Array.of(1) });
    expect((await heardBy({}, downlink(), strong))?.octets).toEqual(Uint8Array.of(1));
    expect(await heardBy({}, downlink(), downlink({ from: twin }))).toBeUndefined();
    expect(await heardBy({}, downlink(), downlink({ from: twin, hz: 868_300_000 }))).toBeDefined();
  });
});

test("uplinks reach the ears that lock, unless they collide on channel, spreading factor and time", async () => {
  const clock = new VirtualClock();
  const medium = new Medium(clock, calm);
  const got: string[] = [];
  const ear: Ear = {
    place: gateway,
    locks: () => true,
    ended: ({ from }, quality) => got.push(`${from.id}:${quality === undefined ? "lost" : "heard"}`),
  };
  medium.addEar(ear);
  const uplink = (id: string, changes: Partial<Emission> = {}) =>
    medium.emit(downlink({ from: { id, position: [0, 0, 1] }, inverted: false, ...changes }));
  uplink("a");
  uplink("b", { startUs: 1_020_000, endUs: 1_070_000 });
  uplink("c", { rate: { sf: 9, bwHz: 125_000 }, endUs: 1_080_000 });
  uplink("d", { startUs: 1_070_000, endUs: 1_090_000 });
  await clock.runUntil(2_000_000);
  expect(got).toEqual(["a:lost", "b:lost", "c:heard", "d:heard"]);
});

test("path loss grows with distance, is the same both ways, and its shadowing follows the seed", () => {
  const far = { id: "far", position: [400, 0, 10] as const };
  expect(pathLossDb(calm, device, far, 868e6)).toBeGreaterThan(pathLossDb(calm, device, gateway, 868e6));
  const rough = { ...calm, shadowingDb: 6 };
  expect(pathLossDb(rough, device, far, 868e6)).toBe(pathLossDb(rough, far, device, 868e6));
  expect(pathLossDb(rough, device, far, 868e6)).not.toBe(pathLossDb({ ...rough, seed: 2 }, device, far, 868e6));
});

test("time on air equals the cross-checked figures of vectors/regions.json", () => {
  const { timeOnAir } = JSON.parse(readFileSync(new URL("../../../../vectors/regions.json", import.meta.url), "utf8"));
  const rows: {
    sf: number;
    bwHz: number;
    phyPayloadBytes: number;
    crc: boolean;
    preambleSymbols: number;
    explicitHeader: boolean;
    codingRate: string;
    ms: number;
  }[] = timeOnAir.lora;
  const ours = rows.filter(
    ({ explicitHeader, codingRate, bwHz }) => explicitHeader && codingRate === "4/5" && bwHz <= 500_000,
  );
  expect(ours.length).toBeGreaterThan(10);
  for (const row of ours) {
    expect(
      airtimeUs(row, row.phyPayloadBytes, { crc: row.crc, preamble: row.preambleSymbols }),
      JSON.stringify(row),
    ).toBe(Math.round(row.ms * 1000));
  }
  for (const row of timeOnAir.fsk)
    expect(airtimeUs({ bitrate: row.bitrate }, row.phyPayloadBytes)).toBe(Math.round(row.ms * 1000));
});
