/** In which forms software keeps and writes octets: a table, each with all the octet strings that give it away. Pure. */
import { inverseRoundKeys, isAesLength, roundKeys, wordsSwapped } from "./aes-schedule.ts";

const hexOf = (octets: Uint8Array) => [...octets].map((octet) => octet.toString(16).padStart(2, "0"));

/**
 * What base64 of any text that contains the octets must contain, for each of the three places in a group at which they can begin: the
 * characters that depend on nothing but them.
 */
function base64Of(octets: Uint8Array, alphabet: "base64" | "base64url"): string[] {
  return [0, 1, 2].map((before) => {
    const text = Buffer.from([...new Uint8Array(before), ...octets]).toString(alphabet);
    return text.slice(Math.ceil((8 * before) / 6), Math.floor((8 * (before + octets.length)) / 6));
  });
}

const texts = {
  hex: (octets) => [hexOf(octets).join("")],
  HEX: (octets) => [hexOf(octets).join("").toUpperCase()],
  /** `<Buffer 0a 1b …>` of a debug line, dumps, C sources. */
  "spaced hex": (octets) =>
    [hexOf(octets).join(" "), hexOf(octets).join(":"), hexOf(octets).join(", 0x"), hexOf(octets).join(",0x")].flatMap(
      (text) => [text, text.toUpperCase().replaceAll("0X", "0x")],
    ),
  base64: (octets) => base64Of(octets, "base64"),
  base64url: (octets) => base64Of(octets, "base64url"),
  /** JSON.stringify of an array, the same for people, and of a Uint8Array. */
  "JSON numbers": (octets) => [
    [...octets].join(","),
    [...octets].join(", "),
    [...octets].map((octet, at) => `"${at}":${octet}`).join(","),
  ],
} as const satisfies { readonly [name: string]: (octets: Uint8Array) => readonly string[] };
type TextForm = keyof typeof texts;

const whenKey = (make: (key: Uint8Array) => readonly Uint8Array[]) => (octets: Uint8Array) =>
  isAesLength(octets.length) ? make(octets) : [];
/** Without the round keys that the key itself covers. */
const laterRoundKeys = (key: Uint8Array) => roundKeys(key).slice(Math.ceil(key.length / 16));

const binary = {
  raw: (octets) => [octets],
  reversed: (octets) => [octets.toReversed()],
  "AES schedule": whenKey(laterRoundKeys),
  "AES schedule, words swapped": whenKey((key) => roundKeys(key).map(wordsSwapped)),
  "AES decryption schedule": whenKey(inverseRoundKeys),
  "AES decryption schedule, words swapped": whenKey((key) => inverseRoundKeys(key).map(wordsSwapped)),
} as const satisfies { readonly [name: string]: (octets: Uint8Array) => readonly Uint8Array[] };

export type Form = keyof typeof binary | TextForm | `UTF-16 ${TextForm}`;

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const utf16 = (text: string) => Uint8Array.from([...latin1(text)].flatMap((octet) => [octet, 0]));

const textForms = Object.entries(texts).flatMap(([name, write]): [string, (octets: Uint8Array) => Uint8Array[]][] => [
  [name, (octets) => write(octets).map(latin1)],
  [`UTF-16 ${name}`, (octets) => write(octets).map(utf16)],
]);

export const forms = Object.fromEntries([...Object.entries(binary), ...textForms]) as {
  readonly [form in Form]: (octets: Uint8Array) => readonly Uint8Array[];
};
export const formNames = Object.keys(forms) as readonly Form[];
export const isSchedule = (form: Form): boolean => form.startsWith("AES");
