/**
 * Finds thousands of needles in much memory in one pass. Every needle has 15 octets or more, so wherever it lies, eight of them fill a place
 * that is aligned at eight: only those places are looked at, two words at a time. A bitmap of what can stand there (each needle at each of
 * eight offsets) passes over almost all; what is left is looked up and compared octet by octet.
 */
import type { Needle } from "./needles.ts";

const stride = 8;
/** Shorter ones would also be found by chance. */
export const shortestNeedle = 15;
const bitmapBits = 22;
/** The highest bits of a hash choose a word of the bitmap, the next five a bit of it. */
const bitmapShift = 32 - (bitmapBits - 5);
const bitOf = (h: number): number => 1 << (h >>> (bitmapShift - 5));

export type Finder = {
  /** The longest needle: chunks must overlap by this many octets less one. */
  readonly longest: number;
  /** Calls `found` once for every occurrence in `hay`. */
  readonly search: (hay: Uint8Array, found: (needle: Needle, at: number) => void) => void;
};

const hash = (low: number, high: number): number => {
  const mixed = (Math.imul(low, 0x9e3779b1) + Math.imul(high, 0x85ebca77)) | 0;
  return mixed ^ (mixed >>> 15);
};
const wordAt = (octets: Uint8Array, at: number): number =>
  (octets[at] as number) |
  ((octets[at + 1] as number) << 8) |
  ((octets[at + 2] as number) << 16) |
  ((octets[at + 3] as number) << 24);

/** Needles by the eight octets at each of their first eight offsets: an open hash table, and the bitmap before it. */
class Windows {
  readonly bitmap = new Int32Array(2 ** (bitmapBits - 5));
  readonly #needles: readonly Needle[];
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  readonly #mask: number;

  constructor(needles: readonly Needle[]) {
    const size = 2 ** Math.ceil(Math.log2(2 * stride * needles.length + 2));
    this.#needles = needles;
    this.#heads = new Int32Array(size).fill(-1);
    this.#next = new Int32Array(stride * needles.length);
    this.#mask = size - 1;
    for (const [index, { octets }] of needles.entries())
      for (let offset = 0; offset < stride; offset++) this.#add(octets, index, offset);
  }

  #add(octets: Uint8Array, index: number, offset: number): void {
    const h = hash(wordAt(octets, offset), wordAt(octets, offset + 4));
    const entry = stride * index + offset;
    this.bitmap[h >>> bitmapShift] = (this.bitmap[h >>> bitmapShift] as number) | bitOf(h);
    this.#next[entry] = this.#heads[h & this.#mask] as number;
    this.#heads[h & this.#mask] = entry;
  }

  /** Reports the needles that lie in `hay` so that one of their windows is at `at`. */
  report(h: number, hay: Uint8Array, at: number, found: (needle: Needle, at: number) => void): void {
    for (let entry = this.#heads[h & this.#mask] as number; entry >= 0; entry = this.#next[entry] as number) {
      const needle = this.#needles[Math.floor(entry / stride)] as Needle;
      const start = at - (entry % stride);
      if (isAt(hay, start, needle.octets)) found(needle, start);
    }
  }
}

export function makeFinder(needles: readonly Needle[]): Finder {
  if (needles.some(({ octets }) => octets.length < shortestNeedle))
    throw new RangeError(`a needle shorter than ${shortestNeedle} octets would be found by chance`);
  const windows = new Windows(needles);
  return {
    longest: Math.max(shortestNeedle, ...needles.map(({ octets }) => octets.length)),
    search: (hay, found) => pass(asWords(hay), windows, hay, found),
  };
}

/** The loop in which all the time goes. */
function pass(words: Int32Array, windows: Windows, hay: Uint8Array, found: (needle: Needle, at: number) => void): void {
  const { bitmap } = windows;
  const last = words.length - 1;
  for (let i = 0; i < last; i += 2) {
    const h = hash(words[i] as number, words[i + 1] as number);
    if (((bitmap[h >>> bitmapShift] as number) & bitOf(h)) !== 0) windows.report(h, hay, 4 * i, found);
  }
}

/** As 32-bit words of this machine, which is little-endian like every one that Node 24 is made for; copied where it lies askew. */
function asWords(hay: Uint8Array): Int32Array {
  const aligned = hay.byteOffset % 4 === 0 ? hay : new Uint8Array(hay);
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length >>> 2);
}

function isAt(hay: Uint8Array, at: number, octets: Uint8Array): boolean {
  if (at < 0 || at + octets.length > hay.length) return false;
  for (let i = 0; i < octets.length; i++) if (hay[at + i] !== octets[i]) return false;
  return true;
}
