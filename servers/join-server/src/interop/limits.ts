/** How much of one kind of asker is taken: token buckets, one for each name. Bounded: of too many names the oldest are forgotten. */

/** `most` in `perMs`, all at once or spread; 0: no limit. */
export type Limit = { readonly most: number; readonly perMs: number };

const mostNames = 200_000;

export class Buckets {
  readonly #limit: Limit;
  readonly #now: () => number;
  readonly #buckets = new Map<string, { left: number; at: number }>();

  constructor(limit: Limit, now: () => number = () => performance.now()) {
    this.#limit = limit;
    this.#now = now;
  }

  /** Whether one more is taken. */
  take(name: string): boolean {
    const { most, perMs } = this.#limit;
    if (most === 0) return true;
    const now = this.#now();
    const known = this.#buckets.get(name);
    if (known === undefined) {
      this.#makeRoom();
      this.#buckets.set(name, { left: most - 1, at: now });
      return true;
    }
    known.left = Math.min(most, known.left + ((now - known.at) * most) / perMs);
    known.at = now;
    if (known.left < 1) return false;
    known.left -= 1;
    return true;
  }

  #makeRoom(): void {
    if (this.#buckets.size < mostNames) return;
    let surplus = mostNames / 10;
    for (const name of this.#buckets.keys()) {
      if (surplus-- <= 0) return;
      this.#buckets.delete(name);
    }
  }
}

export type Limits = {
  readonly devicePerMinute: number;
  readonly joinEuiPerSecond: number;
  readonly peerPerSecond: number;
};

export function limiter({ devicePerMinute, joinEuiPerSecond, peerPerSecond }: Limits, now?: () => number) {
  return {
    device: new Buckets({ most: devicePerMinute, perMs: 60_000 }, now),
    joinEui: new Buckets({ most: joinEuiPerSecond, perMs: 1_000 }, now),
    peer: new Buckets({ most: peerPerSecond, perMs: 1_000 }, now),
  };
}
export type Limiter = ReturnType<typeof limiter>;
