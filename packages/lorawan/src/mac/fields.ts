/**
 * Values packed into octets, described by where each one sits. One description gives the type, the reader and the
 * writer, so they cannot drift apart. Bit 0 is the lowest bit of the first octet, as on the air; a field has at most 46 bits.
 */
import { hzFromRaw, rawFromHz } from "../octets/frequency.ts";
import { type DevAddr, readDevAddr, writeIdentifier } from "../octets/identifiers.ts";

export type Field<T> = {
  readonly read: (octets: Uint8Array, base: number) => T;
  /** Throws RangeError for a value that would not read back. */
  readonly write: (octets: Uint8Array, base: number, value: T) => void;
};
// biome-ignore lint/suspicious/noExplicitAny: a field of any type; Values<> below gives each its own.
export type Fields = { readonly [name: string]: Field<any> };
export type Values<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

function readBits(octets: Uint8Array, base: number, at: number, width: number): number {
  let value = 0;
  for (let i = (at + width - 1) >> 3; i >= at >> 3; i--) value = value * 256 + (octets[base + i] ?? 0);
  return Math.floor(value / 2 ** (at & 7)) % 2 ** width;
}

/** `raw` has come through `fits`; the bits are still zero. */
function writeBits(octets: Uint8Array, base: number, at: number, raw: number): void {
  let rest = raw * 2 ** (at & 7);
  for (let i = base + (at >> 3); rest > 0; i++, rest = Math.floor(rest / 256))
    octets[i] = (octets[i] ?? 0) | (rest % 256);
}

/** A field of `width` bits whose raw number stands for something. */
function bits<T>(at: number, width: number, fromRaw: (raw: number) => T, toRaw: (value: T) => number): Field<T> {
  return {
    read: (octets, base) => fromRaw(readBits(octets, base, at, width)),
    write: (octets, base, value) => {
      const raw = toRaw(value);
      const readsBack = Number.isInteger(raw) && raw >= 0 && raw < 2 ** width && fromRaw(raw) === value;
      if (!readsBack) throw new RangeError(`${String(value)} does not fit in ${width} bits`);
      writeBits(octets, base, at, raw);
    },
  };
}

export const flag = (at: number): Field<boolean> => bits(at, 1, (raw) => raw === 1, Number);
export const uint = (at: number, width: number): Field<number> =>
  bits(
    at,
    width,
    (raw) => raw,
    (value) => value,
  );
/** Two's complement. */
export const int = (at: number, width: number): Field<number> =>
  bits(
    at,
    width,
    (raw) => (raw < 2 ** (width - 1) ? raw : raw - 2 ** width),
    (value) => (value < 0 ? value + 2 ** width : value),
  );
/** Three octets; the value is in Hz. */
export const frequency = (at: number): Field<number> => bits(at, 24, hzFromRaw, rawFromHz);
/** The raw number counts `step` from `first`: levels in dB and dBm. */
export const level = (at: number, width: number, first: number, step: 1 | -1): Field<number> =>
  bits(
    at,
    width,
    (raw) => first + step * raw,
    (value) => (value - first) * step,
  );
/** The set bits' numbers, lowest first. */
export const bitSet = (at: number, width: number): Field<readonly number[]> => {
  const mask = uint(at, width);
  return {
    read: (octets, base) => {
      const word = mask.read(octets, base);
      return Array.from({ length: width }, (_, bit) => bit).filter((bit) => (word >> bit) % 2 === 1);
    },
    write: (octets, base, value) =>
      mask.write(
        octets,
        base,
        [...new Set(value)].reduce((sum, bit) => sum + 2 ** bit, 0),
      ),
  };
};
/** `count` octets from octet `from` on, as on the air. Copied. */
export const octetsAt = (from: number, count: number): Field<Uint8Array> => ({
  read: (octets, base) => octets.slice(base + from, base + from + count),
  write: (octets, base, value) => {
    if (value.length !== count) throw new RangeError(`${count} octets are wanted, not ${value.length}`);
    octets.set(value, base + from);
  },
});
export const devAddrAt = (from: number): Field<DevAddr> => ({
  read: (octets, base) => readDevAddr(octets, base + from),
  write: (octets, base, value) => writeIdentifier(octets, base + from, value),
});
