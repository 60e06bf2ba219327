import { describe, expect, test } from "vitest";
import { isProven, judge } from "./judge.ts";
import { holders, kinds, mayHold, mustBeFound, places } from "./policy.ts";
import type { Find } from "./scan.ts";

const find = (holder: Find["holder"], kind: Find["kind"], place: Find["place"] = "memory", name = "x"): Find => ({
  ...{ holder, kind, place, name, form: "raw", mark: "m", where: place },
});
const octets = new Uint8Array(16);
const controls = mustBeFound.map(([holder, kind, place]) => find(holder, kind, place));

describe("the policy is the table of DESIGN §2", () => {
  const keys = kinds.filter((kind) => kind !== "payload");
  test("the supervisor, the gateway-server and the join-server may hold no key and no payload, anywhere", () => {
    for (const holder of ["supervisor", "gateway-server", "join-server"] as const)
      for (const place of places) for (const kind of kinds) expect(mayHold(holder, kind, place)).toBe(false);
  });
  test("nobody may write a key or a payload to a log, or send a key in clear, not even its rightful holder", () => {
    for (const holder of holders) {
      for (const kind of kinds) expect(mayHold(holder, kind, "log")).toBe(false);
      for (const kind of keys) expect(mayHold(holder, kind, "messages")).toBe(false);
    }
  });
  test("the network-server may hold network session keys and its KEK, the application-server AppSKeys, its KEK and payloads", () => {
    const of = (holder: Find["holder"]) => kinds.filter((kind) => mayHold(holder, kind, "memory"));
    expect(of("network-server")).toEqual(["network session key", "network KEK"]);
    expect(of("application-server")).toEqual(["AppSKey", "application KEK", "payload"]);
    expect(of("vault")).toEqual(keys);
  });
});

describe("the verdict", () => {
  test("holds when rightful holders are seen to hold their keys and nobody else holds any", () => {
    expect(isProven(judge(controls, []))).toBe(true);
  });
  test.each(mustBeFound)("is none when the %s was not seen to hold a %s (%s): the search is blind", (...missing) => {
    const verdict = judge(
      controls.filter(({ holder, kind, place }) => [holder, kind, place].join() !== missing.join()),
      [],
    );
    expect(verdict.blind).toEqual([missing]);
    expect(isProven(verdict)).toBe(false);
  });
  test("fails for a find wherever the table forbids, and shows it there", () => {
    for (const holder of holders)
      for (const place of places)
        for (const kind of kinds) {
          const verdict = judge([...controls, find(holder, kind, place)], []);
          expect(isProven(verdict)).toBe(mayHold(holder, kind, place));
          expect(verdict.table[holder][kind]).toBe(mayHold(holder, kind, place) ? "held" : "forbidden");
        }
  });
  test("fails where a process holds an envelope and the KEK that opens it without being its receiver", () => {
    const envelope = { kind: "key envelope", name: "envelope 1", openedBy: "KEK ns", octets } as const;
    const seen = (holder: Find["holder"]) =>
      judge(
        [
          ...controls,
          find(holder, "network KEK", "memory", "KEK ns"),
          find(holder, "key envelope", "memory", "envelope 1"),
        ],
        [envelope],
      ).openable;
    expect(seen("network-server")).toEqual([]);
    expect(seen("vault")).toEqual([]);
    for (const holder of ["supervisor", "gateway-server", "application-server", "join-server"] as const)
      expect(seen(holder)).toEqual([{ holder, envelope: "envelope 1", kek: "KEK ns", mark: "m" }]);
  });
  test("an envelope without its KEK, or with another, may be anybody's", () => {
    const envelope = { kind: "key envelope", name: "envelope 1", openedBy: "KEK ns", octets } as const;
    const finds = [
      find("join-server", "key envelope", "memory", "envelope 1"),
      find("join-server", "network KEK", "memory", "KEK other"),
    ];
    expect(judge(finds, [envelope]).openable).toEqual([]);
  });
  test("says of a kind that nobody could know that it was not searched for", () => {
    const known = [{ kind: "root key", name: "a", octets } as const];
    const { table } = judge([], known);
    expect(table["join-server"]["master key"]).toBe("not searched");
    expect(table["join-server"]["root key"]).toBe("none");
    expect(table.vault["root key"]).toBe("allowed");
  });
});
