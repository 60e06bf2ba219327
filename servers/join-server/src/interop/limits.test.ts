import { expect, it } from "vitest";
import { Buckets } from "./limits.ts";

it("takes so many in its time, at once or spread, and each name apart", () => {
  let now = 0;
  const buckets = new Buckets({ most: 3, perMs: 3_000 }, () => now);
  const take = (name: string) => buckets.take(name);
  expect(["a", "a", "a", "a", "b"].map(take)).toEqual([true, true, true, false, true]);
  now = 999;
  expect(take("a")).toBe(false);
  now = 1_000;
  expect([take("a"), take("a")]).toEqual([true, false]);
  now = 1_000_000;
  expect(["a", "a", "a", "a"].map(take)).toEqual([true, true, true, false]);
});

it("0 is no limit", () => {
  const buckets = new Buckets({ most: 0, perMs: 1_000 });
  expect(Array.from({ length: 100 }, () => buckets.take("a")).every(Boolean)).toBe(true);
});

it("too many names do not fill the memory: the oldest are forgotten", () => {
  const buckets = new Buckets({ most: 1, perMs: 1e9 }, () => 0);
  for (let i = 0; i <= 200_000; i++) buckets.take(`${i}`);
  expect(buckets.take("200000")).toBe(false);
  expect(buckets.take("0")).toBe(true);
});
