/**
 * EUI → number, by open addressing in typed arrays: a million devices take some 25 MB and give the garbage collector
 * nothing to do, where a Map of strings takes four times as much.
 */
const empty = 0;
const deleted = -1;

export class EuiIndex {
  #mask: number;
  /** Two words for each slot. */
  #keys: Uint32Array;
  /** The number plus one; `empty` or `deleted` otherwise. */
  #values: Int32Array;
  /** Slots that are not `empty`. */
  #used = 0;
  #size = 0;

  constructor(capacity = 1024) {
    this.#mask = capacity - 1;
    this.#keys = new Uint32Array(2 * capacity);
    this.#values = new Int32Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** The number under this EUI, or -1. */
  get(high: number, low: number): number {
    const slot = this.#find(high, low);
    return slot < 0 ? -1 : (this.#values[slot] as number) - 1;
  }

  /** `value` is 0 or more. An EUI that is there gets the new value. */
  set(high: number, low: number, value: number): void {
    const known = this.#find(high, low);
    if (known >= 0) {
      this.#values[known] = value + 1;
      return;
    }
    if ((this.#used + 1) * 4 > this.#values.length * 3) this.#rebuild();
    this.#insert(high, low, value + 1);
    this.#size++;
  }

  delete(high: number, low: number): void {
    const slot = this.#find(high, low);
    if (slot < 0) return;
    this.#values[slot] = deleted;
    this.#size--;
  }

  #find(high: number, low: number): number {
    for (let slot = hash(high, low) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const value = this.#values[slot] as number;
      if (value === empty) return -1;
      if (value > 0 && this.#keys[2 * slot] === high && this.#keys[2 * slot + 1] === low) return slot;
    }
  }

  #insert(high: number, low: number, stored: number): void {
    let slot = hash(high, low) & this.#mask;
    while ((this.#values[slot] as number) !== empty) slot = (slot + 1) & this.#mask;
    this.#keys[2 * slot] = high;
    this.#keys[2 * slot + 1] = low;
    this.#values[slot] = stored;
    this.#used++;
  }

  /** Twice as large where it is really full, the same size where it is full of the deleted. */
  #rebuild(): void {
    const keys = this.#keys;
    const values = this.#values;
    const capacity = this.#size * 2 >= values.length ? 2 * values.length : values.length;
    this.#mask = capacity - 1;
    this.#keys = new Uint32Array(2 * capacity);
    this.#values = new Int32Array(capacity);
    this.#used = 0;
    for (let slot = 0; slot < values.length; slot++) {
      const stored = values[slot] as number;
      if (stored > 0) this.#insert(keys[2 * slot] as number, keys[2 * slot + 1] as number, stored);
    }
  }
}

/** EUIs of one batch differ in their last digits only: mix all bits into the low ones (the finisher of MurmurHash3). */
function hash(high: number, low: number): number {
  let h = Math.imul(high, 0x9e3779b1) ^ low;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
