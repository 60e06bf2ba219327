import { expect, test } from "vitest";
import { isMacVersion, type MacVersion, macVersions, rules } from "./index.ts";

const from = (rule: keyof ReturnType<typeof rules>): string[] => macVersions.filter((version) => rules(version)[rule]);
test("what began or ended with which version", () => {
  expect(from("devNonceIsCounter")).toEqual(["1.0.4", "1.1"]);
  expect(from("maxFCntGap")).toEqual(["1.0.0", "1.0.1", "1.0.2", "1.0.3"]);
  expect(from("dlChannel")).toEqual(["1.0.2", "1.0.3", "1.0.4", "1.1"]);
  expect(from("deviceTime")).toEqual(["1.0.3", "1.0.4", "1.1"]);
  expect(from("encryptsFOpts")).toEqual(["1.1"]);
  expect(rules("1.0.2").maxFCntGap).toBe(16384);
});
test("only these are versions", () => {
  expect(macVersions.every(isMacVersion)).toBe(true);
  expect(isMacVersion("1.0.5")).toBe(false);
  expect(() => rules("1.2" as MacVersion)).toThrow(RangeError);
  // @ts-expect-error 1.2 is no MAC version
  const version: MacVersion = "1.2";
  expect(isMacVersion(version)).toBe(false);
});
test("rules cannot be changed by their readers", () => expect(Object.isFrozen(rules("1.1"))).toBe(true));
