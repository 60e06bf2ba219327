import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { formNames } from "./forms.ts";
import { needlesOf, type Secret } from "./needles.ts";
import { makeFinder } from "./search.ts";

const secret = (name: string, length = 16): Secret => ({ kind: "root key", name, octets: randomBytes(length) });

test("every needle of every form is found at every alignment, once, and at its place", () => {
  const secrets = [secret("a"), secret("b", 32), secret("c", 24)];
  const needles = needlesOf(secrets);
  const { search } = makeFinder(needles);
  for (const needle of needles) {
    const before = Math.floor(Math.random() * 64) + 1;
    const hay = Buffer.concat([Buffer.alloc(before), needle.octets, Buffer.alloc(9)]);
    const found: [string, number][] = [];
    search(hay, ({ secret: { name }, octets }, at) => {
      if (octets === needle.octets) found.push([name, at]);
    });
    expect(found).toEqual([[needle.secret.name, before]]);
  }
  expect(new Set(needles.map(({ form }) => form)).size).toBe(formNames.length);
});

test("a needle at the very beginning and at the very end is found, and half a needle is not", () => {
  const a = secret("a");
  const { search } = makeFinder([{ secret: a, form: "raw", octets: a.octets }]);
  const count = (hay: Uint8Array) => {
    let found = 0;
    search(hay, () => found++);
    return found;
  };
  for (let room = 0; room < 16; room++) {
    expect(count(Buffer.concat([a.octets, randomBytes(room)]))).toBe(1);
    expect(count(Buffer.concat([randomBytes(room), a.octets]))).toBe(1);
    expect(count(Buffer.concat([randomBytes(room + 1), a.octets]).subarray(1))).toBe(1);
    expect(count(Buffer.concat([randomBytes(room), a.octets.subarray(0, 15)]))).toBe(0);
  }
});

test("what is too short to be meant is refused", () => {
  expect(() => makeFinder([{ secret: secret("a"), form: "raw", octets: randomBytes(14) }])).toThrow(RangeError);
});
