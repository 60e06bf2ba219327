import fc from "fast-check";
import { expect, test } from "vitest";
import { reception } from "../../test/world.ts";
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
