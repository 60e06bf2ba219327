/**
 * The expanded key schedules that AES software keeps in place of a key: each round key alone gives the key away. Written from FIPS 197 §5.2,
 * as it shares nothing with the code that it looks for.
 */

/** FIPS 197 §4.2: multiplication by x in GF(2^8). */
const times2 = (value: number) => ((value << 1) ^ (value & 0x80 ? 0x11b : 0)) & 0xff;
function times(value: number, factor: number): number {
  let product = 0;
  for (let power = value, rest = factor; rest > 0; rest >>= 1, power = times2(power)) if (rest & 1) product ^= power;
  return product;
}

/** FIPS 197 §5.1.1: the inverse in GF(2^8), then an affine transformation. */
const sBox = Uint8Array.from({ length: 256 }, (_, value) => {
  let inverse = 0;
  while (value !== 0 && times(value, inverse) !== 1) inverse++;
  let box = 0x63;
  for (const shift of [0, 1, 2, 3, 4]) box ^= (inverse << shift) | (inverse >> (8 - shift));
  return box & 0xff;
});

export const isAesLength = (octets: number) => octets === 16 || octets === 24 || octets === 32;

/** FIPS 197 §5.2: the round keys of the cipher, 16 octets each. The first ones are the key itself. */
export function roundKeys(key: Uint8Array): readonly Uint8Array[] {
  const nk = key.length / 4;
  const words = 4 * (nk + 7);
  const w = new Uint8Array(4 * words);
  w.set(key);
  let rcon = 1;
  for (let i = nk; i < words; i++) {
    let word = w.slice(4 * i - 4, 4 * i);
    if (i % nk === 0) {
      word = Uint8Array.of(...word.subarray(1), word[0] as number).map(substitute);
      word[0] = (word[0] as number) ^ rcon;
      rcon = times2(rcon);
    } else if (nk > 6 && i % nk === 4) word = word.map(substitute);
    for (let j = 0; j < 4; j++) w[4 * i + j] = (w[4 * (i - nk) + j] as number) ^ (word[j] as number);
  }
  return Array.from({ length: words / 4 }, (_, round) => w.slice(16 * round, 16 * round + 16));
}
const substitute = (octet: number) => sBox[octet] as number;

/** FIPS 197 §5.3.5: InvMixColumns of every round key but the first and the last, as the equivalent inverse cipher uses them. */
export const inverseRoundKeys = (key: Uint8Array): readonly Uint8Array[] =>
  roundKeys(key).slice(1, -1).map(inverseMixColumns);

function inverseMixColumns(block: Uint8Array): Uint8Array {
  return block.map((_, at) => {
    const octet = (row: number) => block[(at & ~3) + ((at + row) & 3)] as number;
    return times(octet(0), 14) ^ times(octet(1), 11) ^ times(octet(2), 13) ^ times(octet(3), 9);
  });
}

/** Each 32-bit word the other way round: how a machine stores words that a program read the big-endian way. */
export function wordsSwapped(octets: Uint8Array): Uint8Array {
  return octets.map((_, at) => octets[at ^ 3] as number);
}
