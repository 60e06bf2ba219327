/** Octets as the simulator handles them. LoRaWAN is little-endian on the air; EUIs and addresses are shown big-endian. */

/** Reads hexadecimal text. Throws `RangeError` for anything else: only files and constants come here. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) throw new RangeError("not hexadecimal text");
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

export function toHex(octets: Uint8Array): string {
  let text = "";
  for (const octet of octets) text += octet.toString(16).padStart(2, "0");
  return text;
}

/** An EUI, DevAddr or NetID as it travels: reversed. */
export const toWire = (hex: string): Uint8Array => fromHex(hex).reverse();
/** Copies first: `slice` of a `Buffer` would share its memory, and `reverse` works in place. */
export const fromWire = (octets: Uint8Array): string => toHex(Uint8Array.from(octets).reverse());

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A little-endian number of up to six octets. */
export function readUint(octets: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (octets[at + i] ?? 0);
  return value;
}

export function uintOctets(value: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** i) % 256);
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}

/** Copies a key into an allocation of its own that is too large for the JavaScript heap, so that no stray copies stay behind. */
export function keep(key: Uint8Array): Uint8Array {
  const own = new Uint8Array(new ArrayBuffer(128), 0, key.length);
  own.set(key);
  return own;
}
