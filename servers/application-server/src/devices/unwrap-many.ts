/**
 * RFC 3394 for many AES-128 keys at once: what the server does with all AppSKeys when it starts. One by one, OpenSSL spends
 * ten microseconds to begin and a hundred nanoseconds to decrypt; step by step over a thousand keys it begins twelve times.
 */
import { createDecipheriv } from "node:crypto";

/** A key of 16 octets wrapped: the integrity check value first. */
export const wrappedOctets = 24;
export const keyOctets = 16;
const initialValue = 0xa6;

/** The keys, one after another; a key that was not wrapped under this KEK is undefined. The caller wipes `octets`. */
export type Unwrapped = { readonly octets: Uint8Array; key(n: number): Uint8Array | undefined };

/** `wrapped`: keys of `wrappedOctets` each, one after another. */
export function unwrapMany(kek: Uint8Array, wrapped: Uint8Array): Unwrapped {
  const count = wrapped.length / wrappedOctets;
  const decipher = createDecipheriv(`aes-${kek.length * 8}-ecb`, kek, null).setAutoPadding(false);
  // For each key one block to decrypt, A ‖ R[i], and the two halves R[1] and R[2].
  const blocks = new Uint8Array(Math.max(count * 16, 65));
  const halves = [new Uint8Array(Math.max(count * 8, 65)), new Uint8Array(Math.max(count * 8, 65))] as const;
  for (let n = 0; n < count; n++) {
    const at = n * wrappedOctets;
    copy(wrapped, at, blocks, n * 16);
    copy(wrapped, at + 8, halves[0], n * 8);
    copy(wrapped, at + 16, halves[1], n * 8);
  }
  // RFC 3394 §2.2.2, index based: B = AES-1(K, (A ^ t) | R[i]) with t = 2j + i.
  for (let t = 12; t >= 1; t--) {
    const half = halves[t % 2 === 1 ? 0 : 1];
    for (let n = 0; n < count; n++) {
      blocks[n * 16 + 7] = (blocks[n * 16 + 7] as number) ^ t;
      copy(half, n * 8, blocks, n * 16 + 8);
    }
    const opened = decipher.update(blocks.subarray(0, count * 16));
    blocks.set(opened);
    opened.fill(0);
    for (let n = 0; n < count; n++) copy(blocks, n * 16 + 8, half, n * 8);
  }
  const octets = new Uint8Array(Math.max(count * keyOctets, 65));
  for (let n = 0; n < count; n++) {
    copy(halves[0], n * 8, octets, n * 16);
    copy(halves[1], n * 8, octets, n * 16 + 8);
  }
  const isIntact = Array.from({ length: count }, (_, n) =>
    blocks.subarray(n * 16, n * 16 + 8).every((octet) => octet === initialValue),
  );
  for (const secret of [blocks, ...halves]) secret.fill(0);
  return { octets, key: (n) => (isIntact[n] ? octets.subarray(n * keyOctets, (n + 1) * keyOctets) : undefined) };
}

function copy(from: Uint8Array, at: number, to: Uint8Array, out: number): void {
  for (let i = 0; i < 8; i++) to[out + i] = from[at + i] as number;
}
