import fc from "fast-check";
import { expect, test } from "vitest";
import { reception } from "../../test/world.ts";
import { airtimeMs } from "../events.ts";
import { gpsMsOfUnixMs } from "../mac/gps-time.ts";
import { parseReception, parseUplinks } from "./reception.ts";

const good = reception(Uint8Array.of(1, 2, 3));

test("a whole reception is taken as it is, one with the optional fields left out too", () => {
  const { codingRate: _c, snr: _s, channel: _h, ...least } = good;
  expect(parseReception(good)).toBe(good);
  expect(parseReception(least)).toBe(least);
  expect(parseReception({ ...good, dataRate: 50_000, gpsTimeMs: 1.5, antenna: 1 })).toBeDefined();
});

test.each([
  ["gateway", "0000000000000A01"],
  ["gateway", 1],
  ["phyPayload", ""],
  ["phyPayload", "A".repeat(341)],
  ["hz", 868.1],
  ["hz", -1],
  ["dataRate", "SF7BW125SF7BW125X"],
  ["dataRate", null],
  ["codingRate", 45],
  ["codingRate", "OFF"],
  ["rssi", 1e300],
  ["snr", -1e9],
  ["concentratorTime", 5],
  ["concentratorTime", "-5"],
  ["rssi", Number.NaN],
  ["snr", "9"],
  ["channel", 1.5],
  ["receivedAt", 0.5],
  ["receivedAt", 1e17],
  ["trust", "full"],
])("%s = %j makes a reception malformed", (name, value) => {
  expect(parseReception({ ...good, [name]: value })).toBeUndefined();
});

test("a GPS time more than an hour from the time of reception is left out, the reception is not", () => {
  const exact = gpsMsOfUnixMs(good.receivedAt);
  for (const gpsTimeMs of [exact, exact + 3_599_000])
    expect(parseReception({ ...good, gpsTimeMs })).toEqual({ ...good, gpsTimeMs });
  for (const gpsTimeMs of [0, exact + 3_601_000, -1e300, good.receivedAt])
    expect(parseReception({ ...good, gpsTimeMs })).toEqual(good);
});

test("airtime is a finite number whatever data rate and coding rate are named", () => {
  for (const codingRate of ["OFF", "4/x", "", "0/0"])
    expect(airtimeMs({ dataRate: "SF7BW125", codingRate }, 20)).toSatisfy((ms) => Number.isFinite(ms) && ms >= 0);
  expect(airtimeMs({ dataRate: "SF7BW125", codingRate: "OFF" }, 20)).toBe(0);
  expect(airtimeMs({ dataRate: "SF7BW125", codingRate: "4/5" }, 20)).toBeGreaterThan(0);
});

test("no value at all makes the parser throw; what it lets through survives JSON unchanged", () => {
  const near = fc.record(
    Object.fromEntries(
      Object.keys(good).map((name) => [name, fc.oneof(fc.anything(), fc.constant(good[name as keyof typeof good]))]),
    ),
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.anything(), near), (value) => {
      const parsed = parseReception(value);
      if (parsed) expect(parseReception(JSON.parse(JSON.stringify(parsed)))).toBeDefined();
      parseUplinks(value);
      parseUplinks({ receptions: [value] });
    }),
  );
});
