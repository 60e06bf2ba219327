/**
 * Key schedules by the caller's own id of a key, at most `capacity` of them; the least recently used go first.
 * Two generations instead of an ordered list: a hit in the young one touches nothing. When the young one is full it
 * becomes the old one, and what nobody asked for since is dropped.
 */
import { KeySchedule } from "./key-schedule.ts";

export class KeyScheduleCache<Id extends number | string = number | string> {
  #young = new Map<Id, KeySchedule>();
  #old = new Map<Id, KeySchedule>();
  readonly #half: number;

  /** About 0.7 kB per entry. */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 2) throw new RangeError("capacity is a whole number, at least 2");
    this.#half = Math.floor(capacity / 2);
  }

  get size(): number {
    let size = this.#young.size;
    for (const id of this.#old.keys()) if (!this.#young.has(id)) size++;
    return size;
  }

  /** The schedule under `id`, or undefined. */
  peek(id: Id): KeySchedule | undefined {
    const young = this.#young.get(id);
    if (young) return young;
    const old = this.#old.get(id);
    if (old) this.#keep(id, old);
    return old;
  }

  /** The schedule under `id`; expands what `key` gives on a miss. */
  get(id: Id, key: () => Uint8Array): KeySchedule {
    const known = this.peek(id);
    if (known) return known;
    const schedule = new KeySchedule(key());
    this.#keep(id, schedule);
    return schedule;
  }

  /** Forgets and wipes it: call when the key is no longer valid. */
  delete(id: Id): void {
    (this.#young.get(id) ?? this.#old.get(id))?.wipe();
    this.#young.delete(id);
    this.#old.delete(id);
  }

  #keep(id: Id, schedule: KeySchedule): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(id, schedule);
  }
}
