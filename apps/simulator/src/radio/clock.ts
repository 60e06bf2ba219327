/**
 * The world's clock: microseconds, and things that happen at their time and in their order.
 *
 * `now()` inside an event is that event's own time, however late the machine ran it: a transmission scheduled for
 * 1,000,000 starts at 1,000,000. Outside events it never runs ahead of an event that is still due. When the process
 * itself was stopped for longer than `stallUs`, the world stood still for that long, radios and counters included: a
 * slow simulator must not look like a slow network.
 */
export type Scheduled = { cancel(): void };
export interface Clock {
  now(): number;
  /** Runs at that time, or next when the time has passed. */
  at(us: number, run: () => void): Scheduled;
}

type Entry = { at: number; order: number; run: (() => void) | undefined };

/** A binary heap by time, then by order of scheduling. */
class EventQueue {
  readonly #heap: Entry[] = [];
  #order = 0;

  push(at: number, run: () => void): Entry {
    const entry = { at, order: this.#order++, run };
    const heap = this.#heap;
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(heap[i] as Entry, heap[parent] as Entry)) break;
      swap(heap, i, parent);
      i = parent;
    }
    return entry;
  }

  /** The next entry that has not been cancelled. */
  peek(): Entry | undefined {
    while (this.#heap.length > 0 && (this.#heap[0] as Entry).run === undefined) this.#removeFirst();
    return this.#heap[0];
  }

  pop(): Entry | undefined {
    const first = this.peek();
    if (first !== undefined) this.#removeFirst();
    return first;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    heap[0] = last;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && before(heap[child] as Entry, heap[least] as Entry)) least = child;
      }
      if (least === i) return;
      swap(heap, i, least);
      i = least;
    }
  }
}
const before = (a: Entry, b: Entry) => a.at < b.at || (a.at === b.at && a.order < b.order);
const swap = (heap: Entry[], i: number, j: number) => ([heap[i], heap[j]] = [heap[j] as Entry, heap[i] as Entry]);

/** Follows the machine's monotonic clock. */
export class RealClock implements Clock {
  readonly #queue = new EventQueue();
  readonly #stallUs: number;
  /** How long the world has stood still because the process did. */
  stalledUs = 0;
  #behind = 0;
  #current: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #pumping = false;
  #closed = false;

  constructor({ stallUs = 50_000 } = {}) {
    this.#stallUs = stallUs;
    this.#behind = performance.now() * 1000;
  }

  now(): number {
    if (this.#current !== undefined) return this.#current;
    return Math.min(this.#real(), this.#queue.peek()?.at ?? Number.POSITIVE_INFINITY);
  }

  at(us: number, run: () => void): Scheduled {
    const entry = this.#queue.push(Math.max(us, this.now()), run);
    this.#arm();
    return { cancel: () => (entry.run = undefined) };
  }

  /** Nothing that is scheduled will happen any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #real(): number {
    return Math.floor(performance.now() * 1000 - this.#behind);
  }

  #arm(): void {
    const next = this.#queue.peek();
    if (next === undefined || this.#pumping || this.#closed || next.at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = next.at;
    const waitMs = Math.min(Math.max(0, Math.floor((next.at - this.#real()) / 1000)), 2 ** 31 - 1);
    // Datagrams that have arrived are read between the timer and the check phase: they are heard before time goes on.
    this.#timer = setTimeout(() => setImmediate(() => this.#pump()), waitMs);
  }

  #pump(): void {
    if (this.#closed) return;
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#pumping = true;
    try {
      const due = this.#queue.peek();
      const late = due === undefined ? 0 : this.#real() - due.at;
      if (late > this.#stallUs) {
        this.#behind += late;
        this.stalledUs += late;
      }
      for (let next = this.#queue.peek(); next !== undefined && next.at <= this.#real(); next = this.#queue.peek()) {
        this.#queue.pop();
        this.#current = next.at;
        next.run?.();
      }
    } finally {
      this.#current = undefined;
      this.#pumping = false;
      this.#arm();
    }
  }
}

/** Time that passes only when told to: exact and repeatable, for tests and for what has no sockets. */
export class VirtualClock implements Clock {
  readonly #queue = new EventQueue();
  #now = 0;

  now(): number {
    return this.#now;
  }

  at(us: number, run: () => void): Scheduled {
    const entry = this.#queue.push(Math.max(us, this.#now), run);
    return { cancel: () => (entry.run = undefined) };
  }

  /** Lets everything up to `us` happen; promises that events settle are continued before the next event. */
  async runUntil(us: number): Promise<void> {
    for (let next = this.#queue.peek(); next !== undefined && next.at <= us; next = this.#queue.peek()) {
      this.#queue.pop();
      this.#now = next.at;
      next.run?.();
      for (let i = 0; i < 8; i++) await undefined;
    }
    this.#now = Math.max(this.#now, us);
  }

  /** Runs until the promise settles. Throws when nothing is left to happen before `limitUs` from now. */
  async until<T>(promise: Promise<T>, limitUs = 3_600_000_000): Promise<T> {
    let settled = false;
    const mark = () => {
      settled = true;
    };
    promise.then(mark, mark);
    const end = this.#now + limitUs;
    for (let i = 0; i < 8; i++) await undefined;
    while (!settled) {
      const next = this.#queue.peek();
      if (next === undefined || next.at > end) throw new Error("nothing more happens, and the promise is still open");
      await this.runUntil(next.at);
    }
    return promise;
  }
}
