/**
 * Sessions in memory: which key id, whose, and the AppSKey. Keys are views on one big allocation; the schedules of those in use are
 * kept beside, up to a bound. A slot is reused when its session has ended.
 */
import { type KeySchedule, KeyScheduleCache } from "@trefoil/lorawan";
import { withRoom } from "./columns.ts";
import { keyOctets } from "./unwrap-many.ts";

const state = { free: 0, usable: 1, broken: 2 };

export class SessionTable {
  readonly #schedules: KeyScheduleCache<number>;
  #states = new Uint8Array(1024);
  #devices = new Int32Array(1024);
  /** 64 bits of hash of the SessionKeyID: compared only among the two sessions of one device. */
  #ids = new Uint32Array(2048);
  #keys = new Uint8Array(1024 * keyOctets);
  #end = 0;
  readonly #free: number[] = [];

  constructor(cachedSchedules = 32_768) {
    this.#schedules = new KeyScheduleCache(cachedSchedules);
  }

  get size(): number {
    return this.#end - this.#free.length;
  }

  /** Copies the key. Without one the session is known, but cannot be read. */
  add(device: number, sessionKeyId: string, key: Uint8Array | undefined): number {
    const slot = this.#free.pop() ?? this.#end++;
    this.#states = withRoom(this.#states, slot + 1);
    this.#devices = withRoom(this.#devices, slot + 1);
    this.#ids = withRoom(this.#ids, slot + 1, 2);
    this.#keys = withRoom(this.#keys, slot + 1, keyOctets);
    this.#states[slot] = key === undefined ? state.broken : state.usable;
    this.#devices[slot] = device;
    this.#ids[2 * slot] = hashText(sessionKeyId, 0x811c9dc5);
    this.#ids[2 * slot + 1] = hashText(sessionKeyId, 0x01000193);
    if (key !== undefined) this.#keys.set(key, slot * keyOctets);
    return slot;
  }

  /** The key of a session that was known without one. */
  setKey(slot: number, key: Uint8Array): void {
    this.#keys.set(key, slot * keyOctets);
    this.#states[slot] = state.usable;
  }

  hasKey(slot: number): boolean {
    return this.#states[slot] === state.usable;
  }

  /** Wipes the key and forgets its schedule. */
  remove(slot: number): void {
    this.#schedules.delete(slot);
    this.#keys.fill(0, slot * keyOctets, (slot + 1) * keyOctets);
    this.#states[slot] = state.free;
    this.#free.push(slot);
  }

  is(slot: number, sessionKeyId: string): boolean {
    return (
      this.#ids[2 * slot] === hashText(sessionKeyId, 0x811c9dc5) &&
      this.#ids[2 * slot + 1] === hashText(sessionKeyId, 0x01000193)
    );
  }

  device(slot: number): number {
    return this.#devices[slot] as number;
  }

  /** The AppSKey, ready for use; undefined where there is none. */
  schedule(slot: number): KeySchedule | undefined {
    const known = this.#schedules.peek(slot);
    if (known !== undefined) return known;
    if (this.#states[slot] !== state.usable) return undefined;
    return this.#schedules.get(slot, () => this.#keys.subarray(slot * keyOctets, (slot + 1) * keyOctets));
  }
}

/** FNV-1a, 32 bits. Two of them with different seeds tell apart the few sessions of one device. */
function hashText(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
