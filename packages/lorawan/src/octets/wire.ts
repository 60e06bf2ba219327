/** Little-endian numbers and reversed identifiers, as LoRaWAN puts them on the air (TS001-1.0.4 §1.2). */

// Reads past the end give 0: lengths are checked by the caller, once per frame.
export const readU16 = (octets: Uint8Array, at: number): number => (octets[at] ?? 0) | ((octets[at + 1] ?? 0) << 8);
export const readU24 = (octets: Uint8Array, at: number): number => readU16(octets, at) | ((octets[at + 2] ?? 0) << 16);
export const readU32 = (octets: Uint8Array, at: number): number =>
  (readU16(octets, at) | (readU16(octets, at + 2) << 16)) >>> 0;

/** Throws RangeError when `value` is not a whole number of at most 8·`count` bits: the caller's mistake. */
export function writeUint(octets: Uint8Array, at: number, count: number, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * count))
    throw new RangeError(`${value} does not fit in ${count} octets`);
  for (let i = 0; i < count; i++) octets[at + i] = Math.floor(value / 2 ** (8 * i));
}

const pairs: readonly string[] = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, "0"));

/** `count` octets, last one first, as lower-case hex. */
export function readReversedHex(octets: Uint8Array, at: number, count: number): string {
  let text = "";
  for (let i = at + count - 1; i >= at; i--) text += pairs[octets[i] ?? 0];
  return text;
}

/** Writes hex text with its last octet first. `text` has come through a parser of identifiers.ts. */
export function writeReversedHex(octets: Uint8Array, at: number, text: string): void {
  const count = text.length / 2;
  for (let i = 0; i < count; i++) octets[at + count - 1 - i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
}
