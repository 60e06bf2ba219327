/** Text to octets and back, strictly, with what web pages and servers both have. */

/** Strict base64: `undefined` for anything that would not be written exactly so again. */
export function parseBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const octets = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return toBase64(octets) === text ? octets : undefined;
  } catch {
    return undefined; // atob's only way to say that it is not base64
  }
}

export const toBase64 = (octets: Uint8Array): string =>
  btoa(Array.from(octets, (octet) => String.fromCharCode(octet)).join(""));

/** The caller has checked that it is hexadecimal of a whole number of octets. */
export const fromHex = (text: string): Uint8Array =>
  Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));

export const toHex = (octets: Uint8Array): string =>
  Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
