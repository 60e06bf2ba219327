/**
 * The load generator's devices: personalised, LoRaWAN 1.0.x, made from a seed, so that a million need no file.
 * Their keys are public knowledge by design: for measuring only.
 *
 *   seedKey = SHA-256("trefoil-load" ‖ 0 ‖ seed as decimal text)[0..15]
 *   NwkSKey = AES-128(seedKey, 01 ‖ index as u32be ‖ 0×11)
 *   AppSKey = AES-128(seedKey, 02 ‖ index as u32be ‖ 0×11)
 *   DevAddr = 01000000 + index       (NetID 000000)
 *   DevEUI  = 02 ‖ seed as u24be ‖ index as u32be
 */
import { createHash } from "node:crypto";
import { toHex } from "../octets.ts";
import { encryptBlock, expandKey } from "./fast-aes.ts";

export type LoadDevice = {
  readonly devAddr: string;
  readonly devEui: string;
  readonly nwkSKey: Uint8Array;
  readonly appSKey: Uint8Array;
};
export const maxLoadDevices = 0x00ff_0000;
const firstDevAddr = 0x0100_0000;

/** The expanded key that all others come from. */
export function expandedSeedKey(seed: number): Uint32Array {
  const digest = createHash("sha256").update(`trefoil-load\0${seed}`).digest();
  return expandKey(Uint8Array.from(digest.subarray(0, 16)));
}

export const loadDevAddr = (index: number): number => firstDevAddr + index;

/** Writes one session key of a device into `out` at `at`. `purpose` is 1 for NwkSKey, 2 for AppSKey. */
export function deriveLoadKey(seedKey: Uint32Array, index: number, purpose: 1 | 2, out: Uint8Array, at: number): void {
  out.fill(0, at, at + 16);
  out[at] = purpose;
  out[at + 1] = index >>> 24;
  out[at + 2] = index >>> 16;
  out[at + 3] = index >>> 8;
  out[at + 4] = index;
  encryptBlock(seedKey, out, at);
}

/** The first `n` devices, in order of index, for provisioning. */
export function* loadDevices(n: number, seed: number): Generator<LoadDevice, void> {
  if (!(n >= 0 && n <= maxLoadDevices)) throw new RangeError(`from 0 to ${maxLoadDevices} load devices`);
  const seedKey = expandedSeedKey(seed);
  for (let index = 0; index < n; index++) {
    const keys = new Uint8Array(new ArrayBuffer(128));
    deriveLoadKey(seedKey, index, 1, keys, 0);
    deriveLoadKey(seedKey, index, 2, keys, 16);
    yield {
      devAddr: loadDevAddr(index).toString(16).padStart(8, "0"),
      devEui: toHex(Uint8Array.of(2, seed >>> 16, seed >>> 8, seed, index >>> 24, index >>> 16, index >>> 8, index)),
      nwkSKey: keys.subarray(0, 16),
      appSKey: keys.subarray(16, 32),
    };
  }
}

/** EUIs of the generator's gateways. */
export function loadGateways(n: number, seed: number): string[] {
  return Array.from({ length: n }, (_, i) => toHex(Uint8Array.of(2, 0x6c, 0x6f, 0x61, 0x64, seed >>> 8, seed, i)));
}
