import { describe, expect, test } from "vitest";
import { benchCodec } from "./codec.ts";
import { measure, median } from "./measure.ts";

describe("npm run bench -- codec", () => {
  test("gives every figure, after both codecs agreed on 1024 frames and a join-accept", () => {
    const report = benchCodec({ rounds: 3, roundMs: 1, warmUpMs: 1 });
    expect(Object.keys(report).sort()).toEqual([
      "decodeNs",
      "decodeRatio",
      "joinAcceptNs",
      "joinAcceptRatio",
      "loraPacketDecodeNs",
      "loraPacketJoinAcceptNs",
      "loraPacketNs",
      "micAndDecryptColdNs",
      "micAndDecryptNs",
      "ratio",
    ]);
    for (const [name, value] of Object.entries(report)) expect(value, name).toBeGreaterThan(0);
  });

  test("nanoseconds per operation are the clock's, whatever the number of repeats", () => {
    let clock = 0n;
    const takes = (ns: bigint) => () => {
      clock += ns;
    };
    const ns = measure(
      { small: takes(700n), large: takes(90_000n) },
      { rounds: 3, roundMs: 1, warmUpMs: 2, now: () => clock },
    );
    expect(ns).toEqual({ small: 700, large: 90_000 });
  });

  test("a median", () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
  });
});
