import fc from "fast-check";
import { expect, test } from "vitest";
import { ConcentratorClock, tmstAt } from "./concentrator-clock.ts";

const wrap = 2 ** 32;
const startMs = 1_800_000_000_000;

test("the extended time is congruent to tmst and near the Unix time, so a restart of this server changes nothing", () => {
  fc.assert(
    fc.property(fc.nat(wrap - 1), fc.nat(1e6), (tmst, laterMs) => {
      const first = new ConcentratorClock().extend(tmst, startMs);
      expect(tmstAt(first)).toBe(tmst);
      expect(Math.abs(first - startMs * 1000)).toBeLessThanOrEqual(wrap / 2);
      const clock = new ConcentratorClock();
      clock.extend(tmst, startMs);
      const later = tmstAt(first + laterMs * 1000);
      expect(clock.extend(later, startMs + laterMs)).toBe(first + laterMs * 1000);
    }),
  );
});

test("wraps are counted, also those during silence", () => {
  fc.assert(
    fc.property(
      fc.nat(wrap - 1),
      fc.array(fc.integer({ min: 0, max: 20_000_000_000 }), { maxLength: 20 }),
      (tmst, steps) => {
        const clock = new ConcentratorClock();
        const first = clock.extend(tmst, startMs);
        let elapsed = 0;
        for (const step of steps) {
          elapsed += step;
          const delayMs = step % 900; // The way to us takes up to a second.
          expect(clock.extend(tmstAt(first + elapsed), startMs + elapsed / 1000 + delayMs)).toBe(first + elapsed);
        }
      },
    ),
  );
});

test("a late frame is behind the others, not a wrap ahead", () => {
  const clock = new ConcentratorClock();
  const first = clock.extend(5_000_000, startMs);
  expect(clock.extend(4_000_000, startMs + 10)).toBe(first - 1_000_000);
  expect(clock.extend(5_010_000, startMs + 20)).toBe(first + 10_000);
});

test("after a restart of the concentrator time goes on forward, and what was planned before is too late", () => {
  fc.assert(
    fc.property(fc.nat(wrap - 1), fc.nat(wrap - 1), (before, after) => {
      const clock = new ConcentratorClock();
      const first = clock.extend(before, startMs);
      const second = clock.extend(after, startMs + 1_000);
      expect(tmstAt(second)).toBe(after);
      expect(second).toBeGreaterThanOrEqual(first - 30_000_000);
      const now = clock.nowUs(startMs + 1_000) as number;
      expect(Math.abs(now - second)).toBeLessThanOrEqual(31_000_000);
    }),
  );
});

test("the gateway's present is taken from the frame with the shortest way", () => {
  const clock = new ConcentratorClock();
  expect(clock.nowUs(startMs)).toBeUndefined();
  const first = clock.extend(0, startMs + 5);
  clock.extend(1_000_000, startMs + 1_300);
  expect(clock.nowUs(startMs + 1_305)).toBeCloseTo(first + 1_300_000, -3);
});

test("counters that jump at every frame keep times whole and exact", () => {
  const clock = new ConcentratorClock();
  for (let i = 0; i < 10_000; i++) {
    const tmst = i % 2 === 0 ? 0 : wrap / 2;
    const time = clock.extend(tmst, startMs + i);
    expect(Number.isSafeInteger(time) && time >= 0 && tmstAt(time) === tmst).toBe(true);
  }
});

/** A healthy clock: ten frames, a second apart, and the extended time of the last. */
function healthy() {
  const clock = new ConcentratorClock();
  let time = 0;
  for (let s = 1; s <= 10; s++) time = clock.extend(s * 1_000_000, startMs + s * 1_000);
  return { clock, time, atMs: startMs + 10_000 };
}

test("a counter set back by more than a late datagram explains is a restart at once, also within the 30 s of disorder", () => {
  for (const backS of [3.1, 8, 18, 29]) {
    const clock = new ConcentratorClock();
    clock.extend(40_000_000, startMs);
    const restarted = clock.extend((50 - backS) * 1e6, startMs + 10_000);
    const now = clock.nowUs(startMs + 10_000) as number;
    expect(Math.abs(now - restarted)).toBeLessThan(1);
    expect(clock.extend((51 - backS) * 1e6, startMs + 11_000)).toBe(restarted + 1e6);
  }
});

test("a counter set back by less is noticed within 16 frames", () => {
  const { clock, atMs } = healthy();
  let time = 0;
  for (let s = 1; s <= 16; s++) time = clock.extend((10 + s - 2) * 1e6, atMs + s * 1_000);
  expect(Math.abs((clock.nowUs(atMs + 16_000) as number) - time)).toBeLessThan(100);
});

test("one late datagram, however late, never puts the present ahead, and the next frame in time sets it right", () => {
  for (const lateS of [0.5, 2.9, 3.1, 10, 29]) {
    const { clock, time, atMs } = healthy();
    expect(clock.extend((11 - lateS) * 1e6, atMs + 1_000)).toBe(time + (1 - lateS) * 1e6);
    expect(clock.nowUs(atMs + 1_000)).toBeLessThanOrEqual(time + 1e6);
    expect(clock.extend(12e6, atMs + 2_000)).toBe(time + 2e6);
    expect(Math.abs((clock.nowUs(atMs + 2_000) as number) - (time + 2e6))).toBeLessThan(1);
  }
});
