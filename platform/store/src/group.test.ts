import { expect, test } from "vitest";
import { nextBatchIn } from "./group.ts";

const pace = { everyMs: 5, atRows: 100 };
const after = (rows: number, sinceLastMs: number, inFlight = false) =>
  nextBatchIn(pace, { rows, sinceLastMs, inFlight });

test("when a batch leaves: at once after quiet, in step when busy, early when many wait, never two at a time", () => {
  expect(after(0, 100)).toBe(undefined);
  expect(after(1, 100)).toBe(0);
  expect(after(1, 2)).toBe(3);
  expect(after(99, 0)).toBe(5);
  expect(after(100, 0)).toBe(0);
  expect(after(10_000, 100, true)).toBe(undefined);
});
