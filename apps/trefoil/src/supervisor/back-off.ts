/** How long to wait before a process that ended is started again: twice as long each time, forgotten after it has lived well. */
export const firstDelayMs = 100;
export const longestDelayMs = 10_000;
/** A process that lived this long ended for a new reason. */
export const usualLivedWellMs = 30_000;

export type BackOff = { readonly failures: number };
export const freshBackOff: BackOff = { failures: 0 };

/** Pure: the delay before the next start, and the state to keep, for a process that lived `livedMs`. */
export function nextDelay(
  state: BackOff,
  livedMs: number,
  livedWellMs = usualLivedWellMs,
): { readonly delayMs: number; readonly state: BackOff } {
  const failures = livedMs >= livedWellMs ? 0 : state.failures;
  return { delayMs: Math.min(longestDelayMs, firstDelayMs * 2 ** failures), state: { failures: failures + 1 } };
}
