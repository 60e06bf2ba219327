/**
 * Octets that may be secret, and strict readers of text.
 * Node moves the contents of small typed arrays (64 octets or fewer) into native memory and leaves a copy behind, also after
 * `fill(0)`; views on larger allocations stay where they are. So every secret of this package lives in a view on one.
 */
const roomOctets = 96;

/** A zeroed view of `length` octets on an allocation of its own that is larger than 64 octets. */
export function secretOctets(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(Math.max(length, roomOctets)), 0, length);
}

/** Moves a secret that some library returned into a view of our own, and wipes the library's. */
export function takeSecret(octets: Uint8Array): Uint8Array {
  const taken = secretOctets(octets.length);
  taken.set(octets);
  octets.fill(0);
  return taken;
}

/** Strict base64: `undefined` for anything that would not be written exactly so again. */
export function parseBase64(text: unknown): Uint8Array | undefined {
  if (typeof text !== "string") return undefined;
  const octets = Buffer.from(text, "base64");
  return octets.toString("base64") === text ? octets : undefined;
}

/** Strict hexadecimal in lower case. */
export function parseHex(text: unknown): Uint8Array | undefined {
  if (typeof text !== "string" || text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) return undefined;
  return Buffer.from(text, "hex");
}

export const toBase64 = (octets: Uint8Array): string => view(octets).toString("base64");
export const toHex = (octets: Uint8Array): string => view(octets).toString("hex");

export const noEui = "0000000000000000";
/** An EUI as Trefoil writes it: 16 hex digits in lower case, most significant first. */
export const isEui = (value: unknown): value is string => typeof value === "string" && /^[0-9a-f]{16}$/.test(value);

const view = (octets: Uint8Array): Buffer => Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
