/**
 * From a 32-bit hash to slots of a table: chains through one integer column, so a million entries are two typed arrays.
 * Different values may share a chain: whoever walks it compares the value itself.
 */
export class SlotIndex {
  #heads: Int32Array;
  #next: Int32Array;
  #shift: number;

  constructor(capacity: number) {
    this.#next = new Int32Array(capacity);
    this.#shift = shiftFor(capacity);
    this.#heads = new Int32Array(2 ** (32 - this.#shift)).fill(-1);
  }

  first(hash: number): number {
    return this.#heads[this.#bucket(hash)] as number;
  }
  next(slot: number): number {
    return this.#next[slot] as number;
  }

  add(slot: number, hash: number): void {
    const bucket = this.#bucket(hash);
    this.#next[slot] = this.#heads[bucket] as number;
    this.#heads[bucket] = slot;
  }

  remove(slot: number, hash: number): void {
    const bucket = this.#bucket(hash);
    const after = this.#next[slot] as number;
    let at = this.#heads[bucket] as number;
    if (at === slot) {
      this.#heads[bucket] = after;
      return;
    }
    while (at >= 0 && this.#next[at] !== slot) at = this.#next[at] as number;
    if (at >= 0) this.#next[at] = after;
  }

  /** Makes room for `capacity` slots; every used slot is added anew, as its chain changes. */
  grow(capacity: number, slots: Iterable<number>, hashOf: (slot: number) => number): void {
    this.#next = new Int32Array(capacity);
    this.#shift = shiftFor(capacity);
    this.#heads = new Int32Array(2 ** (32 - this.#shift)).fill(-1);
    for (const slot of slots) this.add(slot, hashOf(slot));
  }

  /** Fibonacci hashing: the upper bits of the product depend on all bits of the hash. */
  #bucket(hash: number): number {
    return Math.imul(hash, 0x9e3779b1) >>> this.#shift;
  }
}

const shiftFor = (capacity: number) => Math.max(0, 32 - Math.max(4, Math.ceil(Math.log2(capacity))));
