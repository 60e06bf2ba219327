/** In which order devices speak: rounds, in each of which every device speaks once, each round shuffled anew by the seed. */
import { hash32 } from "../random.ts";

/** A permutation of 0 … n−1 that needs no memory: mixing within the next power of two, walking past what is outside. */
export function shuffledRound(n: number, seed: number, round: number): (position: number) => number {
  const bits = Math.max(1, Math.ceil(Math.log2(n)));
  const mask = 2 ** bits - 1;
  const half = (bits + 1) >> 1;
  const [a, b, c] = ["a", "b", "c"].map((name) => hash32(`${seed}/${round}/${name}`)) as [number, number, number];
  const [odd1, odd2] = [(a | 1) >>> 0, (b | 1) >>> 0];
  // Each step (odd multiple, xor with a constant, xor with the own upper half) can be undone, so no two collide.
  const mix = (x: number): number => {
    let y = Math.imul(x ^ (c & mask), odd1) & mask;
    y ^= y >>> half;
    y = Math.imul(y, odd2) & mask;
    return y ^ (y >>> half);
  };
  return (position) => {
    let at = mix(position);
    while (at >= n) at = mix(at);
    return at;
  };
}
