/**
 * AES-128 encryption in plain TypeScript with one table: for building many frames under many keys, where a native
 * cipher object per key would cost more than the cipher. Not constant-time: the load generator's keys are no secrets. FIPS 197
 */

const sbox = new Uint8Array(256);
const table = new Uint32Array(256);
fillTables();

function fillTables(): void {
  // Walks the multiplicative group of GF(2^8) by the generator 3, with its inverse beside it.
  for (let p = 1, q = 1, i = 0; i < 255; i++) {
    const s = q ^ rotl8(q, 1) ^ rotl8(q, 2) ^ rotl8(q, 3) ^ rotl8(q, 4) ^ 0x63;
    sbox[p] = s;
    p = (p ^ (p << 1) ^ (p & 0x80 ? 0x11b : 0)) & 0xff;
    q ^= q << 1;
    q ^= q << 2;
    q ^= q << 4;
    q &= 0xff;
    if (q & 0x80) q ^= 0x09;
  }
  sbox[0] = 0x63;
  for (let x = 0; x < 256; x++) {
    const s = sbox[x] as number;
    const twice = ((s << 1) ^ (s & 0x80 ? 0x11b : 0)) & 0xff;
    table[x] = ((twice << 24) | (s << 16) | (s << 8) | (twice ^ s)) >>> 0;
  }
}
function rotl8(x: number, n: number): number {
  return ((x << n) | (x >>> (8 - n))) & 0xff;
}
const S = (x: number): number => sbox[x & 0xff] as number;
const T = (x: number): number => table[x & 0xff] as number;
const ror = (x: number, n: number): number => (x >>> n) | (x << (32 - n));

/** Eleven round keys as 44 words. */
export function expandKey(key: Uint8Array, out = new Uint32Array(44), at = 0): Uint32Array {
  for (let i = 0; i < 4; i++) out[i] = word(key, at + 4 * i);
  for (let i = 4, rcon = 1; i < 44; i++) {
    let t = out[i - 1] as number;
    if (i % 4 === 0) {
      t = (S(t >>> 16) << 24) | (S(t >>> 8) << 16) | (S(t) << 8) | S(t >>> 24);
      t ^= rcon << 24;
      rcon = (rcon << 1) ^ (rcon & 0x80 ? 0x11b : 0);
    }
    out[i] = (out[i - 4] as number) ^ t;
  }
  return out;
}

const word = (octets: Uint8Array, at: number): number =>
  ((octets[at] as number) << 24) |
  ((octets[at + 1] as number) << 16) |
  ((octets[at + 2] as number) << 8) |
  (octets[at + 3] as number);

function put(octets: Uint8Array, at: number, value: number): void {
  octets[at] = value >>> 24;
  octets[at + 1] = value >>> 16;
  octets[at + 2] = value >>> 8;
  octets[at + 3] = value;
}

/** Encrypts the sixteen octets at `at` in place. */
export function encryptBlock(keys: Uint32Array, octets: Uint8Array, at: number): void {
  let a = word(octets, at) ^ (keys[0] as number);
  let b = word(octets, at + 4) ^ (keys[1] as number);
  let c = word(octets, at + 8) ^ (keys[2] as number);
  let d = word(octets, at + 12) ^ (keys[3] as number);
  for (let k = 4; k < 40; k += 4) {
    const e = T(a >>> 24) ^ ror(T(b >>> 16), 8) ^ ror(T(c >>> 8), 16) ^ ror(T(d), 24) ^ (keys[k] as number);
    const f = T(b >>> 24) ^ ror(T(c >>> 16), 8) ^ ror(T(d >>> 8), 16) ^ ror(T(a), 24) ^ (keys[k + 1] as number);
    const g = T(c >>> 24) ^ ror(T(d >>> 16), 8) ^ ror(T(a >>> 8), 16) ^ ror(T(b), 24) ^ (keys[k + 2] as number);
    d = T(d >>> 24) ^ ror(T(a >>> 16), 8) ^ ror(T(b >>> 8), 16) ^ ror(T(c), 24) ^ (keys[k + 3] as number);
    a = e;
    b = f;
    c = g;
  }
  put(octets, at, ((S(a >>> 24) << 24) | (S(b >>> 16) << 16) | (S(c >>> 8) << 8) | S(d)) ^ (keys[40] as number));
  put(octets, at + 4, ((S(b >>> 24) << 24) | (S(c >>> 16) << 16) | (S(d >>> 8) << 8) | S(a)) ^ (keys[41] as number));
  put(octets, at + 8, ((S(c >>> 24) << 24) | (S(d >>> 16) << 16) | (S(a >>> 8) << 8) | S(b)) ^ (keys[42] as number));
  put(octets, at + 12, ((S(d >>> 24) << 24) | (S(a >>> 16) << 16) | (S(b >>> 8) << 8) | S(c)) ^ (keys[43] as number));
}
