/** How often passwords may be tried: from one address, and from one address for one application. Buckets that fill again with time. */
type Bucket = { tokens: number; at: number };
type Pace = { readonly burst: number; readonly perSecond: number };

const perAddress: Pace = { burst: 60, perSecond: 5 };
const perApplication: Pace = { burst: 10, perSecond: 0.2 };
/** More than this and the oldest are forgotten: memory is bounded, whatever strangers do. */
const mostBuckets = 10_000;

export class Attempts {
  readonly #buckets = new Map<string, Bucket>();

  get size(): number {
    return this.#buckets.size;
  }

  /** Counts an attempt. `now` in milliseconds. */
  allow(address: string, applicationId: string, now: number): boolean {
    return this.#take(address, perAddress, now) && this.#take(`${address} ${applicationId}`, perApplication, now);
  }

  #take(key: string, { burst, perSecond }: Pace, now: number): boolean {
    const known = this.#buckets.get(key);
    const bucket = known ?? { tokens: burst, at: now };
    bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket); // The last used is last.
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= mostBuckets) break;
      this.#buckets.delete(oldest);
    }
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}
