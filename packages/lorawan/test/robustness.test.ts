/** A million frames that no specification allows for, and some that it does: nothing throws, nothing is lost. */
import fc from "fast-check";
import { expect, test } from "vitest";
import * as lorawan from "../src/index.ts";
import { aFrame } from "./arbitraries.ts";

/** xorshift32: quick, and the same on every run. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
const random = generator(0x5eed5eed);
const key = new lorawan.KeySchedule(new Uint8Array(16).fill(1));
const templates = fc.sample(aFrame, { numRuns: 500, seed: 3 }).map((frame) => lorawan.encodePhyPayload(frame));

function noise(): Uint8Array {
  const octets = new Uint8Array(random() % (random() % 16 === 0 ? 300 : 48));
  for (let i = 0; i < octets.length; i++) octets[i] = random();
  // Half of them get past MHDR.
  if (octets.length > 0 && random() % 2 === 0) octets[0] = (random() & 7) << 5;
  return octets;
}
/** A good frame with up to three octets changed, or cut, or with octets more. */
function mutant(): Uint8Array {
  const good = templates[random() % templates.length] ?? new Uint8Array();
  const length = random() % 4 === 0 ? random() % (good.length + 8) : good.length;
  const octets = new Uint8Array(length);
  octets.set(good.subarray(0, length));
  for (let n = random() % 4; n > 0 && length > 0; n--)
    octets[random() % (random() % 2 ? length : Math.min(length, 9))] = random();
  return octets;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** All that a server does with octets before it knows whose they are. Returns whether they were a frame. */
function takeIn(octets: Uint8Array): boolean {
  const frame = lorawan.decodePhyPayload(octets);
  if (lorawan.isRefused(frame)) return false;
  if (!same(lorawan.encodePhyPayload(frame), octets)) throw new Error(`not the inverse: ${lorawan.toHex(octets)}`);
  if (frame.type === "JoinAccept") {
    const opened = lorawan.decryptJoinAccept(key, octets);
    if (opened) lorawan.decodeJoinAcceptFields(opened.fields);
  } else if (lorawan.isDataUp(frame)) {
    lorawan.verifyMic10(key, "up", frame.fCnt, octets);
    lorawan.decodeUplinkCommands(frame.fOpts);
    if (frame.fPort === 0) lorawan.decodeUplinkCommands(frame.frmPayload);
    if (frame.fPort === lorawan.relayFPort) lorawan.decodeForwardUplinkReq(frame.frmPayload);
  } else if (lorawan.isDataDown(frame)) {
    lorawan.verifyMic11Down(key, frame.fCnt, 0, octets);
    lorawan.decodeDownlinkCommands(frame.fOpts);
    lorawan.fragmentation2Downlink.decode(frame.frmPayload);
    lorawan.multicastSetupDownlink.decode(frame.frmPayload);
  } else if (frame.type !== "Proprietary") lorawan.verifyTrailingMic(key, octets);
  return true;
}

test("10^6 random and mutated PHYPayloads are read or refused, without an exception", () => {
  const count = { frames: 0, refused: 0 };
  for (let n = 0; n < 500_000; n++) {
    for (const octets of [noise(), mutant()]) {
      if (takeIn(octets)) count.frames++;
      else count.refused++;
    }
  }
  expect(count.frames + count.refused).toBe(1_000_000);
  expect(count.frames).toBeGreaterThan(300_000);
  expect(count.refused).toBeGreaterThan(300_000);
}, 120_000);

test("beacons and QR codes from anywhere are read or refused", () => {
  for (let n = 0; n < 20_000; n++) {
    const octets = noise();
    lorawan.decodeBeacon(octets, { rfu1: random() % 5, rfu2: random() % 4 });
    lorawan.parseQrCode(`LW:D0:${String.fromCharCode(...octets)}`);
    lorawan.unwrapKey(new Uint8Array(16), octets);
  }
});
