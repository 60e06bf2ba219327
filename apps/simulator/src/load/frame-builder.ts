/**
 * Builds the load's frames: LoRaWAN 1.0.x, unconfirmed, FPort 1, 17 octets of payload, 30 octets in all.
 * The payload is sequence number (u32be) ‖ device index (u32be) ‖ FCnt (u32be) ‖ "trefo", so that a receiver can tell
 * which frames came. Written for speed: nothing is allocated per frame. TS001-1.0.4 §4
 */
import { deriveLoadKey, expandedSeedKey, loadDevAddr } from "./devices.ts";
import { encryptBlock, expandKey } from "./fast-aes.ts";

export const payloadOctets = 17;
export const frameOctets = 30;
const fPort = 1;
const headOctets = 9;
const tail = [0x74, 0x72, 0x65, 0x66, 0x6f];

export class FrameBuilder {
  readonly frame = new Uint8Array(frameOctets);
  readonly #seedKey: Uint32Array;
  readonly #keys = new Uint8Array(32);
  readonly #schedule = new Uint32Array(44);
  readonly #block = new Uint8Array(16);
  readonly #subkey = new Uint8Array(16);

  constructor(seed: number) {
    this.#seedKey = expandedSeedKey(seed);
  }

  /** Writes one frame into `this.frame`. */
  build(sequence: number, index: number, fCnt: number): void {
    const { frame } = this;
    const devAddr = loadDevAddr(index);
    frame[0] = 0x40;
    putLe(frame, 1, devAddr);
    frame[5] = 0;
    frame[6] = fCnt;
    frame[7] = fCnt >>> 8;
    frame[8] = fPort;
    putBe(frame, 9, sequence);
    putBe(frame, 13, index);
    putBe(frame, 17, fCnt);
    frame.set(tail, 21);

    deriveLoadKey(this.#seedKey, index, 1, this.#keys, 0);
    deriveLoadKey(this.#seedKey, index, 2, this.#keys, 16);
    this.#encryptPayload(devAddr, fCnt);
    this.#sign(devAddr, fCnt);
  }

  /** A or B0: they differ in the first and last octet. */
  #prepare(first: number, devAddr: number, fCnt: number, last: number): void {
    const block = this.#block;
    block.fill(0);
    block[0] = first;
    putLe(block, 6, devAddr);
    putLe(block, 10, fCnt);
    block[15] = last;
  }

  #encryptPayload(devAddr: number, fCnt: number): void {
    expandKey(this.#keys, this.#schedule, 16);
    for (let done = 0; done < payloadOctets; done += 16) {
      this.#prepare(0x01, devAddr, fCnt, done / 16 + 1);
      encryptBlock(this.#schedule, this.#block, 0);
      const end = Math.min(16, payloadOctets - done);
      for (let i = 0; i < end; i++) xorAt(this.frame, headOctets + done + i, this.#block[i] as number);
    }
  }

  #sign(devAddr: number, fCnt: number): void {
    const { frame } = this;
    const block = this.#block;
    expandKey(this.#keys, this.#schedule, 0);
    const length = frameOctets - 4;
    this.#prepare(0x49, devAddr, fCnt, length);
    encryptBlock(this.#schedule, block, 0);
    for (let i = 0; i < 16; i++) xorAt(block, i, frame[i] as number);
    encryptBlock(this.#schedule, block, 0);
    // The last block is not full: padding, and the second subkey.
    for (let i = 16; i < length; i++) xorAt(block, i - 16, frame[i] as number);
    xorAt(block, length - 16, 0x80);
    const subkey = this.#subkey.fill(0);
    encryptBlock(this.#schedule, subkey, 0);
    double(subkey);
    double(subkey);
    for (let i = 0; i < 16; i++) xorAt(block, i, subkey[i] as number);
    encryptBlock(this.#schedule, block, 0);
    for (let i = 0; i < 4; i++) frame[length + i] = block[i] as number;
  }
}

function xorAt(octets: Uint8Array, at: number, value: number): void {
  octets[at] = (octets[at] as number) ^ value;
}
function double(block: Uint8Array): void {
  const carry = (block[0] as number) >> 7;
  for (let i = 0; i < 15; i++) block[i] = ((block[i] as number) << 1) | ((block[i + 1] as number) >> 7);
  block[15] = ((block[15] as number) << 1) ^ (carry * 0x87);
}
function putLe(octets: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 4; i++) octets[at + i] = value >>> (8 * i);
}
function putBe(octets: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 4; i++) octets[at + i] = value >>> (24 - 8 * i);
}
