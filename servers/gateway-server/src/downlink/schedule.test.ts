import { airtimeUs, regions } from "@trefoil/lorawan";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Booking, earliestLeadUs, gapUs, latestLeadUs, Schedule, type Wanted } from "./schedule.ts";

const frame: Wanted = { startUs: 1_000_000, airtimeUs: 50_000, hz: 868_100_000, priority: "class-a" };
const isBooking = (answer: Booking | string): answer is Booking => typeof answer !== "string";

test("no two accepted transmissions of a gateway overlap, and the forwarder's gap lies between them", () => {
  const wanted = fc.record({
    startUs: fc.integer({ min: 0, max: 20_000_000 }),
    airtimeUs: fc.integer({ min: 1_000, max: 3_000_000 }),
    hz: fc.constantFrom(868_100_000, 869_525_000, 868_800_000),
    priority: fc.constantFrom("join-accept" as const, "class-a" as const),
    passUs: fc.nat(500_000),
    gatewayRefuses: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(wanted, { maxLength: 60 }), (list) => {
      const schedule = new Schedule(regions.EU868);
      const onAir: { startUs: number; endUs: number }[] = [];
      let now = 0;
      for (const { passUs, gatewayRefuses, ...one } of list) {
        now += passUs;
        const answer = schedule.book(one, now, now / 1000);
        if (!isBooking(answer)) continue;
        expect(answer.startUs - now).toBeGreaterThanOrEqual(latestLeadUs);
        if (gatewayRefuses) answer.release();
        else onAir.push({ startUs: answer.startUs, endUs: answer.startUs + one.airtimeUs });
      }
      onAir.sort((a, b) => a.startUs - b.startUs);
      for (const [i, { startUs }] of onAir.entries())
        expect(startUs).toBeGreaterThanOrEqual((onAir[i - 1]?.endUs ?? -gapUs) + gapUs);
    }),
    { numRuns: 300 },
  );
});

test("what is free is booked: only time, frequency, neighbours and duty cycle refuse", () => {
  const schedule = new Schedule(regions.EU868);
  expect(isBooking(schedule.book(frame, 0, 0))).toBe(true);
  expect(schedule.book({ ...frame, startUs: 1_000_000 + 50_000 + gapUs - 1 }, 0, 0)).toBe("schedule/conflict");
  expect(isBooking(schedule.book({ ...frame, startUs: 1_000_000 + 50_000 + gapUs }, 0, 0))).toBe(true);
  expect(schedule.book({ ...frame, startUs: latestLeadUs - 1 }, 0, 0)).toBe("schedule/too-late");
  expect(schedule.book({ ...frame, startUs: earliestLeadUs + 1 }, 0, 0)).toBe("schedule/too-early");
  expect(schedule.book({ ...frame, startUs: Number.NaN }, 0, 0)).toBe("schedule/too-late");
  expect(schedule.book({ ...frame, startUs: 9e6, hz: 868_650_000 }, 0, 0)).toBe("schedule/frequency");
  expect(schedule.book({ ...frame, startUs: 9e6, hz: 915_000_000 }, 0, 0)).toBe("schedule/frequency");
});

test("a released booking frees its time and its share of the duty cycle", () => {
  const schedule = new Schedule(regions.EU868);
  for (let i = 0; i < 1_000; i++) {
    const booking = schedule.book({ ...frame, airtimeUs: 1_000_000 }, 0, 0);
    expect(isBooking(booking)).toBe(true);
    if (isBooking(booking)) booking.release();
  }
});

/** Fills a sub-band within an hour; answers what was transmitted, in milliseconds. */
function fill(schedule: Schedule, one: Wanted, fromMs: number): number {
  let spent = 0;
  for (let ms = fromMs; ms < fromMs + 3_000_000; ms += 2_500) {
    const answer = schedule.book({ ...one, startUs: ms * 1000 + 1_000_000 }, ms * 1000, ms);
    if (isBooking(answer)) spent += one.airtimeUs / 1000;
    else expect(answer).toBe("schedule/duty-cycle");
  }
  return spent;
}

test("a sub-band of 1 % is used for at most 36 s in an hour, and what class A leaves is for joins (ETSI EN 300 220)", () => {
  const schedule = new Schedule(regions.EU868);
  const long = { ...frame, airtimeUs: 1_000_000 };
  const classA = fill(schedule, long, 0);
  expect(classA).toBe(32_000);
  const joins = fill(schedule, { ...long, priority: "join-accept" }, 3_000_000 - 2_500_000);
  expect(classA + joins).toBe(36_000);
  expect(isBooking(schedule.book({ ...long, hz: 869_525_000, startUs: 4e12 }, 4e12 - 1e6, 3_100_000))).toBe(true);
});

test("the duty cycle looks back over one hour and no further", () => {
  const schedule = new Schedule(regions.EU868);
  fill(schedule, { ...frame, airtimeUs: 1_000_000, priority: "join-accept" }, 0);
  const later = 3_000_000 + 3_600_001;
  expect(isBooking(schedule.book({ ...frame, startUs: later * 1000 + 1e6 }, later * 1000, later))).toBe(true);
});

test("where the region has no sub-bands there is no duty cycle (US902-928)", () => {
  const airtime = airtimeUs({ modulation: "LoRa", sf: 12, bwHz: 500_000 }, 33, { crc: false });
  const one: Wanted = { startUs: 0, airtimeUs: airtime, hz: 923_300_000, priority: "class-c" };
  expect(fill(new Schedule(regions.US915), one, 0)).toBeCloseTo((1_200 * airtime) / 1000);
});

test("a gateway's queue holds 32", () => {
  const schedule = new Schedule(regions.US915);
  const answers = Array.from({ length: 40 }, (_, i) =>
    schedule.book({ ...frame, hz: 923_300_000, startUs: 1e6 * (i + 1), airtimeUs: 1_000 }, 0, 0),
  );
  expect(answers.filter(isBooking)).toHaveLength(32);
});
