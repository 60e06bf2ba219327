/** Which regions an operator gets, and hand-written examples beside the generated comparisons. */
import { expect, test } from "vitest";
import vectors from "../../../../vectors/regions.json" with { type: "json" };
import { encodeCfList } from "./cf-list.ts";
import { beaconHz, pingSlotHz } from "./class-b.ts";
import { parseRegionName, regionParameters, regions } from "./regions.ts";
import { maxEirpDbm, subBandAt } from "./sub-bands.ts";
import { joinWindows, rx1Window, rx2Window } from "./windows.ts";

const { EU868, US915, AU915, AS923, KR920, CN470_20A, CN470_20B, CN470_26A } = regions;

test("a region with unverified needed values is refused unless the operator insists; the others work", () => {
  const refused = Object.keys(regions).filter((name) => "refused" in regionParameters(name));
  expect(refused.sort()).toEqual(["CN470_20A", "CN470_20B", "CN470_26A", "CN470_26B", "CN779", "RU864"]);
  for (const name of refused) {
    expect(regionParameters(name)).toMatchObject({ refused: "region/unverified" });
    expect(regionParameters(name, { allowUnverified: true })).toHaveProperty("region.name", name);
  }
  expect(regionParameters("CN470-26A")).toMatchObject({ unverified: [{ field: "rx1DataRates" }, { field: "rx2" }] });
  expect(regionParameters("RU864")).toMatchObject({ unverified: [{ field: "subBands", status: "unresolved" }] });
});

test("every field that the file says fewer than two lineages confirm is marked", () => {
  const names: { readonly [field: string]: string } = {
    dutyCycle: "subBands",
    relay: "relayWor",
    "rx2.otaa": "rx2",
    "rx2.abp": "rx2",
    "rx2.dr": "rx2",
  };
  const ours = (field: string) =>
    field.startsWith("maxPayload")
      ? `maxMacPayload.${field.split(".")[1]}`
      : field.startsWith("rx1DrTable")
        ? "rx1DataRates"
        : (names[field] ?? field);
  for (const [name, region] of Object.entries(regions)) {
    const fields = vectors.verification.fields[name as "EU868"] as Record<string, { independentGroups: number }>;
    const marked = new Set<string>(region.unverified.map(({ field }) => field.replace(".someOffsets", "")));
    for (const [field, { independentGroups }] of Object.entries(fields))
      if (independentGroups < 2)
        expect([name, ours(field), marked.has(ours(field))]).toEqual([name, ours(field), true]);
  }
});

test("region names: dashes, case and AS923-1", () => {
  expect(parseRegionName("as923-1")).toBe("AS923");
  expect(parseRegionName("AS923-3")).toBe("AS923_3");
  expect(parseRegionName("eu868")).toBe("EU868");
  for (const name of ["EU999", "", "__proto__", "constructor"]) expect(parseRegionName(name)).toBeUndefined();
  expect(regionParameters("EU999")).toEqual({ refused: "region/unknown" });
});

test("EU868: RX1 on the uplink's channel, measured frequencies put back on the grid, RX2 869.525 MHz DR0", () => {
  expect(rx1Window(EU868, 868_099_976, 5)).toEqual({ hz: 868_100_000, dr: 5, dataRate: "SF7BW125", codingRate: "4/5" });
  expect(rx1Window(EU868, 868_300_000, 5, 2)?.dataRate).toBe("SF9BW125");
  expect(rx1Window(EU868, 867_100_000, 7)?.dataRate).toBe(50_000);
  expect(rx1Window(EU868, 867_100_000, 10)?.dataRate).toBe("SF11BW125");
  expect(rx2Window(EU868)).toMatchObject({ hz: 869_525_000, dataRate: "SF12BW125" });
});

test("US915 and AU915: RX1 on downlink channel index mod 8, 500 kHz", () => {
  expect(rx1Window(US915, 902_300_000, 0)).toMatchObject({ hz: 923_300_000, dataRate: "SF10BW500" });
  expect(rx1Window(US915, 904_300_000, 3)).toMatchObject({ hz: 924_500_000, dataRate: "SF7BW500" });
  expect(rx1Window(US915, 903_000_000, 4)).toMatchObject({ hz: 923_300_000, dataRate: "SF7BW500" });
  expect(rx1Window(US915, 914_200_000, 4, 3)).toMatchObject({ hz: 927_500_000, dr: 11 });
  expect(rx1Window(AU915, 917_000_000, 5, 5)).toMatchObject({ hz: 923_900_000, dataRate: "SF12BW500" });
});

test("AS923: under a downlink dwell time RX1 is never slower than DR2, and offsets 6 and 7 go up", () => {
  expect(rx1Window(AS923, 923_200_000, 0)?.dr).toBe(0);
  expect(rx1Window(AS923, 923_200_000, 0, 0, true)?.dr).toBe(2);
  expect(rx1Window(AS923, 923_200_000, 3, 7)?.dr).toBe(5);
});

test("CN470: join-accepts follow the join table, not the RX1 rule of the 26 MHz plans", () => {
  expect(joinWindows(CN470_26A, 472_300_000, 2)).toMatchObject({ rx1: { hz: 492_500_000 }, rx2: { hz: 492_500_000 } });
  expect(rx1Window(CN470_26A, 472_300_000, 2)?.hz).toBe(492_100_000);
  expect(joinWindows(CN470_20A, 507_300_000, 3)).toMatchObject({ rx1: { hz: 494_100_000 }, rx2: { hz: 494_900_000 } });
  expect(rx2Window(CN470_20A).hz).toBe(486_900_000);
  expect(rx2Window(CN470_20A, 505_700_000).hz).toBe(493_300_000);
});

test("in the 20 MHz plans of CN470 the join table's RX1 is what the RX1 rule gives", () => {
  for (const region of [CN470_20A, CN470_20B])
    for (const { hz, rx1Hz } of region.joinChannels) expect(rx1Window(region, hz, 1)?.hz).toBe(rx1Hz);
});

test("beacons and ping slots of the plans where the join channel decides (vectors/regions.json CN470_20A, CN470_20B)", () => {
  expect(beaconHz(CN470_20A, 128 * 9, 2)).toBe(483_900_000 + 200_000 * (8 * 2 + 1));
  expect(pingSlotHz(CN470_20A, 7, 128 * 9, 7)).toBe(490_300_000 + 200_000 * (8 * 7 + 0 - 32));
  expect([beaconHz(CN470_20B, 0, 8), beaconHz(CN470_20B, 5000, 9)]).toEqual([481_500_000, 501_500_000]);
  expect(pingSlotHz(CN470_20B, 33, 0, 8)).toBe(477_100_000);
  expect(beaconHz(CN470_20A, 0)).toBeUndefined();
  expect(pingSlotHz(US915, 0xffffffff, 128)).toBe(923_300_000);
  expect(beaconHz(US915, 128 * 7)).toBe(927_500_000);
});

test("sub-bands and EIRP: EU868 10 % at 869.525 MHz with 29.15 dBm, 868.0 MHz belongs to the lower band, gaps are closed", () => {
  expect(subBandAt(EU868, 869_525_000)).toMatchObject({ band: "P", dutyCycle: 0.1 });
  expect(subBandAt(EU868, 868_000_000)?.band).toBe("L");
  expect(subBandAt(EU868, 869_300_000)).toBeUndefined();
  expect([maxEirpDbm(EU868, 868_100_000), maxEirpDbm(EU868, 869_525_000)]).toEqual([16.15, 29.15]);
  expect([maxEirpDbm(KR920, 921_900_000), maxEirpDbm(KR920, 922_100_000)]).toEqual([10, 14]);
  expect(subBandAt(US915, 923_300_000)).toBeUndefined();
});

test("CFList of EU868: five frequencies of three octets, low octet first, then type 0", () => {
  const hz = [867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000];
  const octets = encodeCfList(EU868, hz) ?? [];
  expect(Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("")).toBe(
    "184f84e85684b85e84886684586e8400",
  );
});
