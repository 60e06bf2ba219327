/** How much of a signal is left: log-distance path loss with shadowing that belongs to the pair of places, both ways alike. */
import { seededRandom } from "../random.ts";

/** Metres. */
export type Position = readonly [x: number, y: number, z: number];
export type Propagation = { readonly exponent: number; readonly shadowingDb: number; readonly seed: string | number };
export const openPark: Propagation = { exponent: 2.9, shadowingDb: 4, seed: 1 };

export type Place = { readonly id: string; readonly position: Position };

/** Loss in dB between two places at a frequency: free space to one metre, then `exponent`. */
export function pathLossDb({ exponent, shadowingDb, seed }: Propagation, a: Place, b: Place, hz: number): number {
  const metres = Math.max(
    1,
    Math.hypot(a.position[0] - b.position[0], a.position[1] - b.position[1], a.position[2] - b.position[2]),
  );
  const firstMetre = 20 * Math.log10(hz) - 147.55;
  const pair = [a.id, b.id].sort().join("~");
  const shadow = shadowingDb === 0 ? 0 : shadowingDb * seededRandom(`${seed}/${pair}`).normal();
  return firstMetre + 10 * exponent * Math.log10(metres) + shadow;
}
