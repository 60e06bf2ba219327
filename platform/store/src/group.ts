/**
 * When waiting commit units go to the worker. Quiet: at the end of this turn of the event loop. Busy: at most every `everyMs`,
 * so that many share one fsync; sooner when `atRows` wait; never while a batch is on its way.
 */
export type Pace = { readonly everyMs: number; readonly atRows: number };
export type Waiting = { readonly rows: number; readonly inFlight: boolean; readonly sinceLastMs: number };

/** Milliseconds until the next batch, 0 for "at once", undefined for "an event will ask again". */
export function nextBatchIn({ everyMs, atRows }: Pace, { rows, inFlight, sinceLastMs }: Waiting): number | undefined {
  if (rows === 0 || inFlight) return undefined;
  if (rows >= atRows) return 0;
  return Math.max(0, everyMs - sinceLastMs);
}
