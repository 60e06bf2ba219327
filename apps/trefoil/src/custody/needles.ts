/** What is searched for: every key and payload in every form in which software tends to keep one. Pure. */
import type { Kind } from "./policy.ts";

export type Secret = { readonly kind: Kind; readonly name: string; readonly octets: Uint8Array };
export type Form = "raw" | "reversed" | "hex" | "HEX" | "base64" | "base64url" | "UTF-16 hex" | "JSON numbers";
export type Needle = { readonly secret: Secret; readonly form: Form; readonly octets: Uint8Array };

const utf8 = (text: string) => new TextEncoder().encode(text);
const hexOf = (octets: Uint8Array) => Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
const base64Of = (octets: Uint8Array) => btoa(String.fromCharCode(...octets)).replace(/=+$/, "");
const utf16 = (text: string) => Uint8Array.from([...utf8(text)].flatMap((octet) => [octet, 0]));

const forms: { readonly [form in Form]: (octets: Uint8Array) => Uint8Array } = {
  // Also the start of an expanded AES key schedule: its first round key is the key itself.
  raw: (octets) => octets,
  reversed: (octets) => octets.toReversed(),
  hex: (octets) => utf8(hexOf(octets)),
  HEX: (octets) => utf8(hexOf(octets).toUpperCase()),
  // Without padding; the last digit of a length that is no multiple of three depends on nothing else.
  base64: (octets) => utf8(base64Of(octets)),
  base64url: (octets) => utf8(base64Of(octets).replaceAll("+", "-").replaceAll("/", "_")),
  "UTF-16 hex": (octets) => utf16(hexOf(octets)),
  "JSON numbers": (octets) => utf8(Array.from(octets).join(",")),
};
export const formNames = Object.keys(forms) as readonly Form[];

/** All forms of all secrets; forms that come out alike (base64 without + or /) are searched once. */
export function needlesOf(secrets: readonly Secret[]): readonly Needle[] {
  return secrets.flatMap((secret) => {
    const seen = new Set<string>();
    return formNames.flatMap((form) => {
      const octets = forms[form](secret.octets);
      const text = octets.join();
      if (seen.has(text)) return [];
      seen.add(text);
      return [{ secret, form, octets }];
    });
  });
}
