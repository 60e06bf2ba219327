import { expect, test } from "vitest";
import { freshBackOff, longestDelayMs, nextDelay, usualLivedWellMs } from "./back-off.ts";

test("each quick end doubles the wait, up to a bound; a long life forgets them", () => {
  let state = freshBackOff;
  const delays = Array.from({ length: 12 }, () => {
    const next = nextDelay(state, 0);
    state = next.state;
    return next.delayMs;
  });
  expect(delays.slice(0, 4)).toEqual([100, 200, 400, 800]);
  expect(delays.at(-1)).toBe(longestDelayMs);
  expect(nextDelay(state, usualLivedWellMs)).toEqual({ delayMs: 100, state: { failures: 1 } });
});
