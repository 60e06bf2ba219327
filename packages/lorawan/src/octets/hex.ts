/** Octets as hexadecimal text. Output is lower case; input of either case is taken, anything else is refused. */
const digits = "0123456789abcdef";
const pairs: readonly string[] = Array.from(
  { length: 256 },
  (_, octet) => digits.charAt(octet >> 4) + digits.charAt(octet & 15),
);

/** The value of each ASCII character as a hex digit, or 255. */
const values = new Uint8Array(128).fill(255);
for (let value = 0; value < 16; value++) {
  values[digits.charCodeAt(value)] = value;
  values[digits.toUpperCase().charCodeAt(value)] = value;
}

export function toHex(octets: Uint8Array): string {
  let text = "";
  for (const octet of octets) text += pairs[octet];
  return text;
}

/** The octets, or undefined when a character is no hex digit, the count is odd, or `length` (in octets) is not met. */
export function fromHex(text: string, length?: number): Uint8Array | undefined {
  if (text.length % 2 !== 0 || (length !== undefined && text.length !== 2 * length)) return undefined;
  const octets = new Uint8Array(text.length / 2);
  for (let i = 0; i < octets.length; i++) {
    const high = values[text.charCodeAt(2 * i)] ?? 255;
    const low = values[text.charCodeAt(2 * i + 1)] ?? 255;
    if ((high | low) > 15) return undefined;
    octets[i] = (high << 4) | low;
  }
  return octets;
}
