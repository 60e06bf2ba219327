/** Seeded randomness: the same seed and label give the same world. Not for keys unless a scenario asks for repeatable ones. */
export type Random = {
  /** In [0, 1). */
  next(): number;
  /** A whole number in [0, below). */
  int(below: number): number;
  /** Between the two. */
  between(low: number, high: number): number;
  pick<T>(from: readonly T[]): T;
  /** Standard normal. */
  normal(): number;
  /** Exponential with the given mean. */
  exponential(mean: number): number;
  /** An independent stream. */
  fork(label: string): Random;
};

/** FNV-1a over the text, finished with a mix, 32 bits. */
export function hash32(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export function seededRandom(seed: string | number): Random {
  const text = String(seed);
  let [a, b, c, count] = [hash32(`${text}#a`), hash32(`${text}#b`), hash32(`${text}#c`), 1];
  // sfc32: small, fast, passes the usual batteries.
  const next = () => {
    const t = (a + b + count++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return (t >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 12; i++) next();
  const random: Random = {
    next,
    int: (below) => Math.floor(next() * below),
    between: (low, high) => low + next() * (high - low),
    pick: (from) => from[Math.floor(next() * from.length)] as (typeof from)[number],
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    exponential: (mean) => -mean * Math.log(1 - next()),
    fork: (label) => seededRandom(`${text}/${label}`),
  };
  return random;
}
