/**
 * 32-bit frame counters from the 16 bits that are sent (TS001-1.0.4 §4.3.1.5).
 */
const top = 0xffffffff;

/**
 * The lowest counter that is at least `atLeast` and ends in `fCnt16`; undefined when 32 bits have no such counter.
 * A receiver that took `last` passes `last + 1`; one that also wants to recognise a repeated frame passes `last`.
 */
export function reconstructFCnt(atLeast: number, fCnt16: number): number | undefined {
  const low = atLeast % 0x10000;
  const full = atLeast - low + fCnt16 + (fCnt16 < low ? 0x10000 : 0);
  return full <= top ? full : undefined;
}

/** Whether so many frames are missing that a version with MaxFCntGap (versions.ts) drops the frame. `last` is undefined in a new session. */
export const exceedsMaxFCntGap = (last: number | undefined, fCnt: number, maxFCntGap: number | undefined): boolean =>
  maxFCntGap !== undefined && last !== undefined && fCnt - last > maxFCntGap;
