import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeBeacon,
  decodeBeaconPosition,
  encodeBeacon,
  encodeBeaconPosition,
  fromHex,
  pingNb,
  pingOffset,
  pingPeriod,
  pingSlotsMs,
  toHex,
} from "../index.ts";

const octets = (text: string): Uint8Array => fromHex(text.replaceAll(" ", "")) ?? expect.fail(text);
const sf9 = { rfu1: 1, rfu2: 0 };

describe("beacons (TS001-1.0.4 §13)", () => {
  /** §13.4: time CC020000, InfoDesc 0, latitude 002001, longitude 038100, as sent with SF9 and with SF10. */
  test.each([
    ["00 00 000002cc a27e 00 012000 008103 de55", { rfu1: 1, rfu2: 0 }],
    ["00 00 00 000002cc a27e 00 012000 008103 00 50d4", { rfu1: 2, rfu2: 1 }],
  ])("the specification's example %s", (text, layout) => {
    const beacon = decodeBeacon(octets(text), layout);
    if ("reason" in beacon) throw new Error(beacon.reason);
    expect(beacon).toMatchObject({ time: 0xcc020000, precision: 0, infoDesc: 0, gatewayInfoIntact: true });
    expect(toHex(encodeBeacon(beacon, layout))).toBe(text.replaceAll(" ", ""));
    expect(toHex(encodeBeaconPosition(decodeBeaconPosition(beacon.info)))).toBe(toHex(beacon.info));
  });
  test("what is encoded reads back in every layout", () => {
    const aBeacon = fc.record({
      time: fc.integer({ min: 0, max: 0xffffffff }),
      precision: fc.nat(3),
      infoDesc: fc.nat(255),
      info: fc.uint8Array({ minLength: 6, maxLength: 6 }),
    });
    fc.assert(
      fc.property(aBeacon, fc.record({ rfu1: fc.nat(4), rfu2: fc.nat(3) }), (beacon, layout) => {
        expect(decodeBeacon(encodeBeacon(beacon, layout), layout)).toEqual({ ...beacon, gatewayInfoIntact: true });
      }),
    );
  });
  test("a changed octet is noticed by the CRC that covers it", () => {
    const good = octets("00 00 000002cc a27e 00 012000 008103 de55");
    for (let at = 0; at < good.length; at++) {
      const changed = good.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x04;
      const beacon = decodeBeacon(changed, sf9);
      expect("reason" in beacon ? beacon.reason : beacon.gatewayInfoIntact).toBe(at < 8 ? "beacon/time-crc" : false);
    }
    expect(decodeBeacon(good.subarray(1), sf9)).toEqual({ reason: "beacon/length" });
    expect(decodeBeacon(new Uint8Array(), sf9)).toEqual({ reason: "beacon/length" });
  });
  test("positions keep their sign and about two metres", () => {
    const there = decodeBeaconPosition(encodeBeaconPosition({ latitude: -33.8688, longitude: 151.2093 }));
    expect(there.latitude).toBeCloseTo(-33.8688, 4);
    expect(there.longitude).toBeCloseTo(151.2093, 4);
    expect(decodeBeaconPosition(encodeBeaconPosition({ latitude: 90, longitude: -180 })).longitude).toBe(-180);
  });
});

describe("ping slots (TS001-1.0.4 §12)", () => {
  test("there are 2^(7 - p) slots, 2^(5 + p) apart, all within the beacon window", () => {
    fc.assert(
      fc.property(
        fc.nat(7),
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.integer({ min: 0, max: 0xffffffff }),
        (periodicity, time, devAddr) => {
          const slots = pingSlotsMs(time, devAddr, periodicity);
          expect(slots).toHaveLength(pingNb(periodicity));
          expect(Math.min(...slots)).toBeGreaterThanOrEqual(2120);
          expect(Math.max(...slots)).toBeLessThan(128_000 - 3000);
          expect(pingOffset(time, devAddr, pingPeriod(periodicity))).toBeLessThan(pingPeriod(periodicity));
        },
      ),
    );
    expect(pingSlotsMs(0, 0, 0)[1]).toBe(2120 + (6 + 32) * 30);
  });
});
