import fc from "fast-check";
import { expect, test } from "vitest";
import { reception } from "../../test/world.ts";
import { distinctHearings, Merger } from "./merge.ts";

const options = { windowMs: 200, lateMs: 1_000, tickMs: 20 };
const phy = (n: number) => Uint8Array.of(0x40, n, n >> 8);

test("hearings within the window are one frame, the first one first; later ones are late until it is forgotten", () => {
  const merger = new Merger<string>(options);
  expect(merger.offer(reception(phy(1)), "a", 0).is).toBe("first");
  expect(merger.offer(reception(phy(1)), "b", 199).is).toBe("again");
  expect(merger.close(199)).toEqual([]);
  expect(merger.close(200).map(({ heard }) => heard.map(({ from }) => from))).toEqual([["a", "b"]]);
  expect(merger.offer(reception(phy(1)), "c", 1_199).is).toBe("late");
  merger.close(1_200);
  // From now on it can only be a retransmission.
  expect(merger.offer(reception(phy(1)), "d", 1_200).is).toBe("first");
});

test("frames that were first heard within one tick close together, in their order", () => {
  const merger = new Merger<number>(options);
  for (const [n, at] of [
    [1, 0],
    [2, 19],
    [3, 20],
  ] as const)
    merger.offer(reception(phy(n)), n, at);
  expect(merger.close(200).map(({ heard }) => heard[0]?.from)).toEqual([1, 2]);
  expect(merger.close(220).map(({ heard }) => heard[0]?.from)).toEqual([3]);
});

test("a frame whose batch failed is forgotten: heard again it is a new one", () => {
  const merger = new Merger<string>(options);
  merger.offer(reception(phy(1)), "a", 0);
  const [frame] = merger.close(200);
  if (frame) merger.forget(frame);
  expect(merger.offer(reception(phy(1)), "b", 300).is).toBe("first");
});

test("one frame cannot fill the memory", () => {
  const merger = new Merger<number>(options);
  const results = Array.from({ length: 200 }, (_, n) => merger.offer(reception(phy(1)), n, 0).is);
  expect(results.filter((is) => is === "too-many")).toHaveLength(72);
  expect(merger.close(200)[0]?.heard).toHaveLength(128);
});

test("every reception is in exactly one frame, is late or too many; nothing is held for ever", () => {
  const offers = fc.array(fc.record({ n: fc.nat(5), wait: fc.nat(300) }), { maxLength: 60 });
  fc.assert(
    fc.property(offers, (list) => {
      const merger = new Merger<number>(options);
      let now = 0;
      let elsewhere = 0;
      let merged = 0;
      for (const { n, wait } of list) {
        now += wait;
        merged += merger.close(now).reduce((sum, { heard }) => sum + heard.length, 0);
        if (["late", "too-many"].includes(merger.offer(reception(phy(n)), n, now).is)) elsewhere++;
      }
      merged += merger.close(now + 1_000).reduce((sum, { heard }) => sum + heard.length, 0);
      merger.close(now + 3_000);
      expect(merged + elsewhere).toBe(list.length);
      expect(merger.size).toBe(0);
    }),
  );
});

test("what a link sent twice counts once, by its younger copy; each antenna counts", () => {
  const first = reception(phy(1), { antenna: 0 });
  const heard = [
    { reception: first, from: "old" },
    { reception: { ...first }, from: "young" },
    { reception: { ...first, antenna: 1 }, from: "young" },
  ];
  expect(distinctHearings(heard).map(({ from, reception: { antenna } }) => [from, antenna])).toEqual([
    ["young", 0],
    ["young", 1],
  ]);
});
