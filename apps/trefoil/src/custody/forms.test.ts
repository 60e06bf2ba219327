import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { inverseRoundKeys, roundKeys, wordsSwapped } from "./aes-schedule.ts";
import { type Form, formNames, forms } from "./forms.ts";

const octetsOf = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const hexOf = (octets: Uint8Array | undefined) => Buffer.from(octets ?? []).toString("hex");

describe("expanded AES schedules", () => {
  test("are those of FIPS 197, appendices A.1, A.2 and A.3", () => {
    const last = (key: string) => hexOf(roundKeys(octetsOf(key)).at(-1));
    expect(last("2b7e151628aed2a6abf7158809cf4f3c")).toBe("d014f9a8c9ee2589e13f0cc8b6630ca6");
    expect(last("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b")).toBe("e98ba06f448c773c8ecc720401002202");
    expect(last("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")).toBe(
      "fe4890d1e6188d0b046df344706c631e",
    );
  });
  test("of decryption are those of FIPS 197, appendix C.1", () => {
    const schedule = inverseRoundKeys(octetsOf("000102030405060708090a0b0c0d0e0f")).map(hexOf);
    expect(schedule.at(-1)).toBe("13aa29be9c8faff6f770f58000f7bf03");
    expect(schedule).toHaveLength(9);
  });
  test("stored as words of the other byte order", () => {
    expect(hexOf(wordsSwapped(octetsOf("0001020304050607")))).toBe("0302010007060504");
  });
});

/** What real software writes, for each form: not made by the code under test. */
const written: { readonly [form in Form]?: (key: Buffer) => readonly (string | Uint8Array)[] } = {
  raw: (key) => [key],
  reversed: (key) => [Buffer.from(key).reverse()],
  hex: (key) => [key.toString("hex")],
  HEX: (key) => [key.toString("hex").toUpperCase()],
  "spaced hex": (key) => [
    inspect(key),
    (key.toString("hex").match(/../g) ?? []).join(":"),
    `{ ${[...key].map((octet) => `0x${octet.toString(16).toUpperCase().padStart(2, "0")}`).join(", ")} }`,
  ],
  base64: (key) =>
    [0, 1, 2, 3, 4, 5].flatMap((n) => [
      Buffer.concat([randomBytes(n), key, randomBytes(5 - n)]).toString("base64"),
      Buffer.concat([randomBytes(n), key]).toString("base64"),
    ]),
  base64url: (key) => [0, 1, 2].map((n) => Buffer.concat([randomBytes(n), key]).toString("base64url")),
  "JSON numbers": (key) => [
    JSON.stringify([...key]),
    JSON.stringify(key),
    JSON.stringify(new Uint8Array(key)),
    JSON.stringify([...key]).replaceAll(",", ", "),
  ],
  "UTF-16 hex": (key) => [Buffer.from(key.toString("hex"), "utf16le")],
  "UTF-16 base64": (key) => [Buffer.from(Buffer.concat([randomBytes(1), key]).toString("base64"), "utf16le")],
  "UTF-16 JSON numbers": (key) => [Buffer.from(JSON.stringify([...key]), "utf16le")],
};

test.each(Object.keys(written) as Form[])("octets written as %s hold one of its needles", (form) => {
  for (let i = 0; i < 20; i++) {
    const key = randomBytes(16);
    for (const text of written[form]?.(key) ?? []) {
      const hay = Buffer.from(text as string);
      expect(forms[form](key).some((needle) => hay.includes(Buffer.from(needle)))).toBe(true);
    }
  }
});

test("no form's needles say anything of another key, and all are long enough not to be met by chance", () => {
  const [key, other] = [randomBytes(16), randomBytes(16)];
  for (const form of formNames)
    for (const needle of forms[form](key)) {
      expect(needle.length).toBeGreaterThanOrEqual(16);
      for (const foreign of formNames.flatMap((name) => forms[name](other)))
        expect(Buffer.from(foreign).includes(Buffer.from(needle))).toBe(false);
    }
});
