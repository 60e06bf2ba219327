/** Octets as base64 (RFC 4648 §4), strict: padded, no white space, no stray bits. One value has exactly one text. */
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const values = new Uint8Array(128).fill(255);
for (let value = 0; value < 64; value++) values[alphabet.charCodeAt(value)] = value;

export function toBase64(octets: Uint8Array): string {
  let text = "";
  for (let at = 0; at < octets.length; at += 3) {
    const left = octets.length - at;
    const word = ((octets[at] ?? 0) << 16) | ((octets[at + 1] ?? 0) << 8) | (octets[at + 2] ?? 0);
    text += alphabet.charAt(word >> 18) + alphabet.charAt((word >> 12) & 63);
    text += left > 1 ? alphabet.charAt((word >> 6) & 63) : "=";
    text += left > 2 ? alphabet.charAt(word & 63) : "=";
  }
  return text;
}

/** The octets, or undefined when the text is not the base64 of anything. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const octets = new Uint8Array((text.length / 4) * 3 - padding);
  const end = text.length - padding;
  let word = 0;
  let at = 0;
  for (let i = 0; i < end; i++) {
    const value = values[text.charCodeAt(i)] ?? 255;
    if (value > 63) return undefined;
    word = ((word << 6) | value) & 0xffffff;
    // Six bits more came in; whole octets leave from the top.
    if (i % 4 === 1) octets[at++] = word >> 4;
    else if (i % 4 === 2) octets[at++] = word >> 2;
    else if (i % 4 === 3) octets[at++] = word;
  }
  const strayBits = padding === 2 ? word & 15 : padding === 1 ? word & 3 : 0;
  return strayBits === 0 ? octets : undefined;
}
