/** Durations in buckets that are never more than 1 % wide, so that a million cost no memory and no sorting. */
const perDoubling = 70;
const doublings = 36; // 2^36 µs is most of a day

export class Latencies {
  readonly #buckets = new Uint32Array(perDoubling * doublings);
  #count = 0;

  add(micros: number): void {
    const exact = micros < 1 ? 0 : Math.floor(Math.log2(micros) * perDoubling);
    const bucket = Math.min(exact, this.#buckets.length - 1);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#count++;
  }

  /** The upper edge of the bucket that holds this share of all, in milliseconds; 0 when there is none. */
  quantile(share: number): number {
    if (this.#count === 0) return 0;
    let left = Math.ceil(share * this.#count);
    const bucket = this.#buckets.findIndex((count) => {
      left -= count;
      return left <= 0;
    });
    return Math.round(2 ** ((bucket + 1) / perDoubling)) / 1000;
  }

  summary(): { readonly p50: number; readonly p99: number; readonly p999: number } {
    return { p50: this.quantile(0.5), p99: this.quantile(0.99), p999: this.quantile(0.999) };
  }
}
