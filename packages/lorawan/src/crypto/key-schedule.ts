/**
 * AES made ready for use: the expanded key and the CMAC subkeys of one key, computed once instead of per packet.
 * All AES of this package runs here, through @noble/ciphers; blocks are four 32-bit words, little-endian, so that the
 * hot paths build B0 and A blocks in registers and allocate nothing of their own.
 *
 * Spec: FIPS 197, RFC 4493. The octets of the key never leave.
 */
import { unsafe } from "@noble/ciphers/aes.js";

/** Fresh octets for a secret: a view on an allocation that is large enough to lie outside the moving heap. */
export const secretOctets = (length: number): Uint8Array =>
  new Uint8Array(new ArrayBuffer(Math.max(length, 80)), 0, length);

// Keys are expanded from here: aligned, off the heap, wiped after use.
const scratch = secretOctets(32);

const word = (octets: Uint8Array, at: number): number =>
  (octets[at] ?? 0) | ((octets[at + 1] ?? 0) << 8) | ((octets[at + 2] ?? 0) << 16) | ((octets[at + 3] ?? 0) << 24);

export class KeySchedule {
  readonly #roundKeys: Uint32Array;
  /** K1 in words 0 to 3, K2 in 4 to 7 (RFC 4493 §2.3). Made at the first CMAC: many keys only ever encrypt. */
  #subkeys: Uint32Array | undefined;

  /** Expands a copy of `key` (16, 24 or 32 octets); wiping the original is its owner's business. */
  constructor(key: Uint8Array) {
    if (key.length !== 16 && key.length !== 24 && key.length !== 32)
      throw new RangeError("an AES key has 16, 24 or 32 octets");
    const copy = scratch.subarray(0, key.length);
    copy.set(key);
    this.#roundKeys = unsafe.expandKeyLE(copy);
    copy.fill(0);
  }

  #cmacSubkeys(): Uint32Array {
    if (this.#subkeys) return this.#subkeys;
    const block = new Uint8Array(16);
    this.encryptBlock(block, 0, block, 0);
    const subkeys = new Uint32Array(8);
    for (const at of [0, 4]) {
      double(block);
      for (let i = 0; i < 4; i++) subkeys[at + i] = word(block, 4 * i);
    }
    block.fill(0);
    this.#subkeys = subkeys;
    return subkeys;
  }

  /** AES of the block at `from[at]`, written to `to[out]`. The two may be the same. */
  encryptBlock(from: Uint8Array, at: number, to: Uint8Array, out: number): void {
    const { s0, s1, s2, s3 } = unsafe.encrypt(
      this.#roundKeys,
      word(from, at),
      word(from, at + 4),
      word(from, at + 8),
      word(from, at + 12),
    );
    storeWord(to, out, s0);
    storeWord(to, out + 4, s1);
    storeWord(to, out + 8, s2);
    storeWord(to, out + 12, s3);
  }

  /** AES-CMAC (RFC 4493) of a whole message. */
  cmac(message: Uint8Array): Uint8Array {
    const tag = new Uint8Array(16);
    const blocks = Math.max(1, Math.ceil(message.length / 16));
    const full = message.length === 16 * blocks;
    for (let b = 0; b < blocks - 1; b++) {
      for (let i = 0; i < 16; i++) tag[i] = (tag[i] ?? 0) ^ (message[16 * b + i] ?? 0);
      this.encryptBlock(tag, 0, tag, 0);
    }
    const last = 16 * (blocks - 1);
    for (let i = 0; last + i < message.length; i++) tag[i] = (tag[i] ?? 0) ^ (message[last + i] ?? 0);
    if (!full) tag[message.length - last] = (tag[message.length - last] ?? 0) ^ 0x80;
    const subkey = full ? 0 : 4;
    const subkeys = this.#cmacSubkeys();
    for (let i = 0; i < 16; i++) tag[i] = (tag[i] ?? 0) ^ ((subkeys[subkey + (i >> 2)] ?? 0) >>> (8 * (i & 3)));
    this.encryptBlock(tag, 0, tag, 0);
    return tag;
  }

  /**
   * First four octets (little-endian, signed) of the CMAC of one block given as words, then `octets[0 … end)`.
   * This is a data frame's MIC (TS001-1.0.4 §4.4): B0 ‖ msg, without a buffer for either. `end` is at least 1.
   */
  micWord(w0: number, w1: number, w2: number, w3: number, octets: Uint8Array, end: number): number {
    const roundKeys = this.#roundKeys;
    let { s0, s1, s2, s3 } = unsafe.encrypt(roundKeys, w0, w1, w2, w3);
    let at = 0;
    for (; at + 16 < end; at += 16) {
      ({ s0, s1, s2, s3 } = unsafe.encrypt(
        roundKeys,
        s0 ^ word(octets, at),
        s1 ^ word(octets, at + 4),
        s2 ^ word(octets, at + 8),
        s3 ^ word(octets, at + 12),
      ));
    }
    const subkeys = this.#subkeys ?? this.#cmacSubkeys();
    const left = end - at;
    const subkey = left === 16 ? 0 : 4;
    s0 ^= paddedWord(octets, at, left) ^ (subkeys[subkey] ?? 0);
    s1 ^= paddedWord(octets, at + 4, left - 4) ^ (subkeys[subkey + 1] ?? 0);
    s2 ^= paddedWord(octets, at + 8, left - 8) ^ (subkeys[subkey + 2] ?? 0);
    s3 ^= paddedWord(octets, at + 12, left - 12) ^ (subkeys[subkey + 3] ?? 0);
    return unsafe.encrypt(roundKeys, s0, s1, s2, s3).s0;
  }

  /**
   * XORs the keystream of A blocks into `from`, giving `to` (may be the same). Words 0 to 2 of each A block are given;
   * word 3 is `w3` with the block's index, from 1, as its last octet (TS001-1.0.4 §4.3.3).
   */
  applyKeystream(w0: number, w1: number, w2: number, w3: number, from: Uint8Array, to: Uint8Array): void {
    const roundKeys = this.#roundKeys;
    const end = from.length;
    let index = 1;
    for (let at = 0; at < end; at += 16, index++) {
      const { s0, s1, s2, s3 } = unsafe.encrypt(roundKeys, w0, w1, w2, w3 | (index << 24));
      if (at + 16 <= end) {
        storeWord(to, at, s0 ^ word(from, at));
        storeWord(to, at + 4, s1 ^ word(from, at + 4));
        storeWord(to, at + 8, s2 ^ word(from, at + 8));
        storeWord(to, at + 12, s3 ^ word(from, at + 12));
      } else {
        xorTail(from, to, at, end, s0);
        xorTail(from, to, at + 4, end, s1);
        xorTail(from, to, at + 8, end, s2);
        xorTail(from, to, at + 12, end, s3);
      }
    }
  }

  /** Overwrites it; using it afterwards gives wrong results, not an error. For owners who know that nobody else has it. */
  wipe(): void {
    this.#roundKeys.fill(0);
    this.#subkeys?.fill(0);
  }

  toString(): string {
    return "KeySchedule";
  }
  toJSON(): string {
    return "KeySchedule";
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "KeySchedule";
  }
}

function storeWord(to: Uint8Array, at: number, value: number): void {
  to[at] = value;
  to[at + 1] = value >>> 8;
  to[at + 2] = value >>> 16;
  to[at + 3] = value >>> 24;
}

/** A word of the last, perhaps short block: what is there, then 0x80, then zeros. `left` octets remain from `at` on. */
function paddedWord(octets: Uint8Array, at: number, left: number): number {
  if (left >= 4) return word(octets, at);
  if (left < 0) return 0;
  let value = 0x80 << (8 * left);
  for (let i = 0; i < left; i++) value |= (octets[at + i] ?? 0) << (8 * i);
  return value;
}

/** Up to four octets of keystream over what is left before `end`. */
function xorTail(from: Uint8Array, to: Uint8Array, at: number, end: number, value: number): void {
  let keystream = value;
  for (let i = at; i < end && i < at + 4; i++, keystream >>>= 8) to[i] = (from[i] ?? 0) ^ keystream;
}

/** Doubling in GF(2^128), most significant octet first (RFC 4493 §2.3). */
function double(block: Uint8Array): void {
  const carry = (block[0] ?? 0) >> 7;
  for (let i = 0; i < 15; i++) block[i] = ((block[i] ?? 0) << 1) | ((block[i + 1] ?? 0) >> 7);
  block[15] = ((block[15] ?? 0) << 1) ^ (0x87 * carry);
}
