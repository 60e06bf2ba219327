/**
 * The erasure code of TS004: coded fragment n of a block of M fragments is the XOR of about half of them, chosen by a
 * pseudo-random line that both sides can make. Version 1 may choose a fragment twice and counts it; version 2 does not.
 *
 * Spec: TS004-1.0.0 Appendix, TS004-2.0.0 Appendix
 */
export type FecVersion = 1 | 2;

/** Which of `m` fragments (from 0) go into coded fragment `n` (from 1). */
export function parityLine(n: number, m: number, version: FecVersion): readonly boolean[] {
  const line: boolean[] = Array.from({ length: m }, () => false);
  const powerOfTwo = m > 0 && (m & (m - 1)) === 0 ? 1 : 0;
  let x = 1 + 1001 * n;
  let chosen = 0;
  while (chosen < Math.floor(m / 2)) {
    let r = m;
    while (r >= m) {
      x = (x >> 1) + (((x ^ (x >> 5)) & 1) << 22);
      r = x % (m + powerOfTwo);
    }
    if (version === 1 || !line[r]) chosen++;
    line[r] = true;
  }
  return line;
}

/** The plain fragments, then `redundancy` coded ones. `data` is a whole number of fragments (pad it first). */
export function encodeFragments(
  data: Uint8Array,
  fragSize: number,
  redundancy: number,
  version: FecVersion,
): Uint8Array[] {
  if (fragSize < 1 || data.length % fragSize !== 0) throw new RangeError("data is a whole number of fragments");
  const m = data.length / fragSize;
  const plain = Array.from({ length: m }, (_, i) => data.slice(i * fragSize, (i + 1) * fragSize));
  const coded = Array.from({ length: redundancy }, (_, i) => {
    const fragment = new Uint8Array(fragSize);
    for (const [index, chosen] of parityLine(i + 1, m, version).entries()) if (chosen) xorInto(fragment, plain[index]);
    return fragment;
  });
  return [...plain, ...coded];
}

function xorInto(target: Uint8Array, other: Uint8Array | undefined): void {
  for (let i = 0; i < target.length; i++) target[i] = (target[i] ?? 0) ^ (other?.[i] ?? 0);
}
