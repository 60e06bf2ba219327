/** AES key wrap (RFC 3394 §2.2) with the default initial value. KEKs of 128, 192 or 256 bits: the KeyEnvelope of TS002. */
import { unsafe } from "@noble/ciphers/aes.js";
import { readU32, writeUint } from "../octets/wire.ts";
import { equalOctets } from "./equal.ts";
import { KeySchedule, secretOctets } from "./key-schedule.ts";

const initialValue = new Uint8Array(8).fill(0xa6);

/** XORs the step counter t into A. Keys are short: t fits in its last octet and a half, but all four are written. */
function xorStep(block: Uint8Array, t: number): void {
  for (let i = 0; i < 4; i++) block[7 - i] = (block[7 - i] ?? 0) ^ (t >>> (8 * i));
}

/** `key` (16 octets or more, whole multiples of 8) wrapped under `kek`; 8 octets longer. */
export function wrapKey(kek: Uint8Array, key: Uint8Array): Uint8Array {
  if (key.length < 16 || key.length % 8 !== 0) throw new RangeError("a key to wrap has 16, 24, 32 … octets");
  const n = key.length / 8;
  const schedule = new KeySchedule(kek);
  const out = secretOctets(key.length + 8);
  out.set(key, 8);
  const block = secretOctets(16);
  block.set(initialValue);
  for (let j = 0; j < 6; j++) {
    for (let i = 1; i <= n; i++) {
      block.set(out.subarray(8 * i, 8 * i + 8), 8);
      schedule.encryptBlock(block, 0, block, 0);
      xorStep(block, n * j + i);
      out.set(block.subarray(8), 8 * i);
    }
  }
  out.set(block.subarray(0, 8));
  schedule.wipe();
  block.fill(0);
  return out;
}

/** The key, or undefined when the KEK is another, the octets were changed, or the length is impossible. */
export function unwrapKey(kek: Uint8Array, wrapped: Uint8Array): Uint8Array | undefined {
  if (wrapped.length < 24 || wrapped.length % 8 !== 0) return undefined;
  const n = wrapped.length / 8 - 1;
  const copy = secretOctets(kek.length);
  copy.set(kek);
  const roundKeys = unsafe.expandKeyDecLE(copy);
  copy.fill(0);
  const key = secretOctets(8 * n);
  key.set(wrapped.subarray(8));
  const block = secretOctets(16);
  block.set(wrapped.subarray(0, 8));
  for (let j = 5; j >= 0; j--) {
    for (let i = n; i >= 1; i--) {
      xorStep(block, n * j + i);
      block.set(key.subarray(8 * i - 8, 8 * i), 8);
      const { s0, s1, s2, s3 } = unsafe.decrypt(
        roundKeys,
        readU32(block, 0),
        readU32(block, 4),
        readU32(block, 8),
        readU32(block, 12),
      );
      writeUint(block, 0, 4, s0 >>> 0);
      writeUint(block, 4, 4, s1 >>> 0);
      writeUint(block, 8, 4, s2 >>> 0);
      writeUint(block, 12, 4, s3 >>> 0);
      key.set(block.subarray(8), 8 * i - 8);
    }
  }
  roundKeys.fill(0);
  const intact = equalOctets(block.subarray(0, 8), initialValue);
  block.fill(0);
  if (!intact) key.fill(0);
  return intact ? key : undefined;
}
