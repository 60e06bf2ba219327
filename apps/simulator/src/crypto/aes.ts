/** AES-128 in ECB, the one primitive that LoRaWAN stands on, and AES-CMAC (RFC 4493). */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { concat, keep } from "../octets.ts";

/** Encrypts whole blocks, each on its own. */
export function encryptBlocks(key: Uint8Array, blocks: Uint8Array): Uint8Array {
  const cipher = createCipheriv("aes-128-ecb", key, null).setAutoPadding(false);
  return Uint8Array.from(cipher.update(blocks));
}

export function decryptBlocks(key: Uint8Array, blocks: Uint8Array): Uint8Array {
  const cipher = createDecipheriv("aes-128-ecb", key, null).setAutoPadding(false);
  return Uint8Array.from(cipher.update(blocks));
}

/** One block whose tail is zero, encrypted: how LoRaWAN derives keys. */
export function deriveKey(root: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const block = new Uint8Array(16);
  block.set(concat(...parts));
  return keep(encryptBlocks(root, block));
}

const shifted = (block: Uint8Array): Uint8Array => {
  const out = block.map((octet, i) => (octet << 1) | ((block[i + 1] ?? 0) >> 7));
  if ((block[0] ?? 0) & 0x80) out[15] = (out[15] ?? 0) ^ 0x87;
  return out;
};

/** AES-CMAC, 16 octets. */
export function cmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  const k1 = shifted(encryptBlocks(key, new Uint8Array(16)));
  const count = Math.max(1, Math.ceil(message.length / 16));
  const padded = new Uint8Array(count * 16);
  padded.set(message);
  const whole = message.length === count * 16;
  if (!whole) padded[message.length] = 0x80;
  const mask = whole ? k1 : shifted(k1);
  const last = padded.subarray(-16);
  for (let i = 0; i < 16; i++) last[i] = (last[i] ?? 0) ^ (mask[i] ?? 0);
  const cipher = createCipheriv("aes-128-cbc", key, new Uint8Array(16)).setAutoPadding(false);
  return Uint8Array.from(cipher.update(padded).subarray(-16));
}
