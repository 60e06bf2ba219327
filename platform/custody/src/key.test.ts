import { inspect } from "node:util";
import { expect, it } from "vitest";
import { Key, makeKey } from "./key.ts";

const octets = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
const hex = "0102030405060708090a0b0c0d0e0f10";

it("a key prints as its role and nothing else, however it is printed", () => {
  const key = new Key("AppSKey", octets);
  const prints = [
    String(key),
    JSON.stringify({ key }),
    inspect({ key }, { depth: 9, showHidden: true }),
    `${Object.entries(key)}`,
  ];
  prints.push(JSON.stringify(structuredClone(key)), JSON.stringify({ ...key }));
  for (const print of prints) expect(print).not.toMatch(/\b1,2,3,4|01020304|AQIDBAU/);
  expect(prints[0]).toBe("Key<AppSKey>");
  expect(prints[1]).toBe('{"key":"Key<AppSKey>"}');
});

it("holds its octets in a view on an allocation of more than 64 octets, apart from the caller's", () => {
  const mine = octets.slice();
  const key = new Key("AppKey", mine);
  mine.fill(0);
  key.expose((held) => {
    expect(Buffer.from(held).toString("hex")).toBe(hex);
    expect(held.buffer.byteLength).toBeGreaterThan(64);
  });
});

it("is wiped when it is disposed of", () => {
  const key = new Key("NwkKey", octets);
  key[Symbol.dispose]();
  expect(key.expose((held) => held.every((octet) => octet === 0))).toBe(true);
});

it("has only the lengths of its role", () => {
  expect(() => new Key("AppSKey", new Uint8Array(32))).toThrow(RangeError);
  expect(() => new Key("KEK", new Uint8Array(15))).toThrow(RangeError);
  expect(makeKey("KEK", 32).expose((held) => held.length)).toBe(32);
});

it("a wrong role does not compile", () => {
  const encrypt = (key: Key<"NwkSEncKey">) => key.role;
  // @ts-expect-error an AppSKey is no NwkSEncKey
  expect(encrypt(new Key("AppSKey", octets))).toBe("AppSKey");
});
