import type { MacVersion } from "@trefoil/wire";
import fc from "fast-check";
import { expect, it } from "vitest";
import { type Asked, decideJoin, type Known } from "./decide.ts";

const known = (macVersion: MacVersion, change: Partial<Known> = {}): Known => ({
  macVersion,
  lastJoinNonce: 7,
  lastDevNonce: 100,
  rjCount1: 30,
  isUsed: false,
  ...change,
});
const asked = (macVersion: string, devNonce: number, dlSettings = macVersion.startsWith("1.1") ? 0x80 : 0): Asked => ({
  macVersion,
  nonce: { request: "join", devNonce },
  dlSettings,
});
const rejoin = (request: 0 | 1 | 2, rjCount: number, macVersion = "1.1"): Asked => ({
  macVersion,
  nonce: request === 1 ? { request, rjCount } : { request, rjCount, frame: new Uint8Array(19) },
  dlSettings: macVersion === "1.1" ? 0x80 : 0,
});
const outcome = (decision: ReturnType<typeof decideJoin>) =>
  decision.is === "join" ? decision.joinNonce : decision.outcome;

it.each<[string, Known, Asked, number | string]>([
  ["a counter that rises (TS001-1.0.4 §6.2.5)", known("1.0.4"), asked("1.0.4", 101), 8],
  ["a counter that stands still", known("1.0.4"), asked("1.0.4", 100), "join/dev-nonce-not-rising"],
  ["a counter that falls", known("1.1"), asked("1.1", 99), "join/dev-nonce-not-rising"],
  ["a counter that starts at 0", known("1.1", { lastDevNonce: -1 }), asked("1.1", 0), 8],
  ["a random DevNonce below the last (1.0.3)", known("1.0.3"), asked("1.0.3", 5), 8],
  [
    "a random DevNonce of long ago (1.0.0)",
    known("1.0.0", { isUsed: true }),
    asked("1.0.0", 5),
    "join/dev-nonce-reused",
  ],
  [
    "a DevNonce that was used before the import, although it is higher",
    known("1.0.4", { isUsed: true }),
    asked("1.0.4", 500),
    "join/dev-nonce-reused",
  ],
  ["RJcount1 that rises (LoRaWAN 1.1 §6.2.4.2)", known("1.1"), rejoin(1, 31), 8],
  ["RJcount1 that stands still", known("1.1"), rejoin(1, 30), "rejoin/count-not-rising"],
  ["RJcount1 that falls", known("1.1"), rejoin(1, 0), "rejoin/count-not-rising"],
  ["the first RJcount1", known("1.1", { rjCount1: -1 }), rejoin(1, 0), 8],
  ["RJcount0 that starts again after a join-accept (LoRaWAN 1.1 §6.2.4.1)", known("1.1"), rejoin(0, 0), 8],
  ["a frame of type 0 that was answered before", known("1.1", { isUsed: true }), rejoin(0, 7), "rejoin/replayed"],
  ["a frame of type 2 that was answered before", known("1.1", { isUsed: true }), rejoin(2, 7), "rejoin/replayed"],
  ["a rejoin of a 1.0.x device", known("1.0.4"), rejoin(0, 1, "1.0.4"), "join/version"],
  ["a rejoin of a 1.1 device whose network takes it for 1.0.x", known("1.1"), rejoin(0, 1, "1.0.4"), "join/version"],
  ["another patch release of the same scheme", known("1.0.2"), asked("1.0.4", 5), 8],
  ["1.0.x for a 1.1 device", known("1.1"), asked("1.0.4", 101), "join/version"],
  ["1.1 for a 1.0.x device", known("1.0.4"), asked("1.1", 101), "join/version"],
  ["1.1 without OptNeg", known("1.1"), asked("1.1", 101, 0), "join/version"],
  ["OptNeg with 1.0.x", known("1.0.4"), asked("1.0.4", 101, 0x80), "join/version"],
  ["a version that there is not", known("1.1"), asked("2.0", 101, 0x80), "join/version"],
  ["the last JoinNonce", known("1.0.4", { lastJoinNonce: 0xff_fffe }), asked("1.0.4", 101), 0xff_ffff],
  [
    "no JoinNonce left: they never start again",
    known("1.0.4", { lastJoinNonce: 0xff_ffff }),
    asked("1.0.4", 101),
    "join/join-nonces-used-up",
  ],
])("%s", (_, device, request, expected) => {
  expect(outcome(decideJoin(device, request))).toBe(expected);
});

it("whatever comes in which order, no DevNonce joins twice and JoinNonce rises (TS001-1.0.4 §6.2.5, §6.2.6)", () => {
  const versions = fc.constantFrom<MacVersion>("1.0.0", "1.0.3", "1.0.4", "1.1");
  fc.assert(
    fc.property(versions, fc.array(fc.nat(20), { maxLength: 60 }), (version, nonces) => {
      const used = new Set<number>();
      let [lastJoinNonce, lastDevNonce] = [0, -1];
      for (const devNonce of nonces) {
        const decision = decideJoin(
          { macVersion: version, lastJoinNonce, lastDevNonce, rjCount1: -1, isUsed: used.has(devNonce) },
          asked(version, devNonce),
        );
        if (decision.is === "refused") continue;
        if (used.has(devNonce) || decision.joinNonce <= lastJoinNonce) return false;
        used.add(devNonce);
        lastJoinNonce = decision.joinNonce;
        lastDevNonce = Math.max(lastDevNonce, devNonce);
      }
      return true;
    }),
  );
});
