/**
 * Finds many needles in much memory at once: a bitmap of the needles' first two octets rejects almost every position, so the
 * cost hardly depends on how many needles there are.
 */
import type { Needle } from "./needles.ts";

export type Finder = {
  /** The longest needle: chunks must overlap by this many octets less one. */
  readonly longest: number;
  /** Calls `found` for every occurrence in `hay`. */
  readonly search: (hay: Uint8Array, found: (needle: Needle, at: number) => void) => void;
};

export function makeFinder(needles: readonly Needle[]): Finder {
  const starts = new Uint8Array(65_536);
  const byStart = new Map<number, Needle[]>();
  for (const needle of needles) {
    if (needle.octets.length < 8) throw new RangeError("a needle shorter than 8 octets would be found by chance");
    const start = (needle.octets[0] as number) | ((needle.octets[1] as number) << 8);
    starts[start] = 1;
    byStart.set(start, [...(byStart.get(start) ?? []), needle]);
  }
  return {
    longest: Math.max(0, ...needles.map(({ octets }) => octets.length)),
    search: (hay, found) => {
      for (let i = 0; i + 1 < hay.length; i++) {
        const start = (hay[i] as number) | ((hay[i + 1] as number) << 8);
        if (starts[start] === 0) continue;
        for (const needle of byStart.get(start) ?? []) if (isAt(hay, i, needle.octets)) found(needle, i);
      }
    },
  };
}

function isAt(hay: Uint8Array, at: number, octets: Uint8Array): boolean {
  if (at + octets.length > hay.length) return false;
  for (let i = 2; i < octets.length; i++) if (hay[at + i] !== octets[i]) return false;
  return true;
}
