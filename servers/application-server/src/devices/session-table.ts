/**
 * Sessions in memory: which key id, whose, and the AppSKey. A key lies wrapped under this server's KEK, as in the store, until its
 * first use, then in the clear: both as a view on one big allocation. A slot is reused when its session has ended.
 */
import { type KeySchedule, KeyScheduleCache } from "@trefoil/lorawan";
import { withRoom } from "./columns.ts";

/** RFC 3394: a key of 16 octets and 8 of integrity. */
export const wrappedOctets = 24;
const keyOctets = 16;
const state = { free: 0, wrapped: 1, clear: 2, broken: 3 };

/** Opens what is wrapped under the KEK: a view of its own that the caller wipes, or undefined. */
export type Unwrap = (wrapped: Uint8Array) => Uint8Array | undefined;

export class SessionTable {
  readonly #unwrap: Unwrap;
  readonly #schedules: KeyScheduleCache<number>;
  #states = new Uint8Array(1024);
  #devices = new Int32Array(1024);
  /** 64 bits of hash of the SessionKeyID: compared only among the two sessions of one device. */
  #ids = new Uint32Array(2048);
  #keys = new Uint8Array(1024 * wrappedOctets);
  #end = 0;
  readonly #free: number[] = [];

  constructor(unwrap: Unwrap, cachedSchedules = 32_768) {
    this.#unwrap = unwrap;
    this.#schedules = new KeyScheduleCache(cachedSchedules);
  }

  get size(): number {
    return this.#end - this.#free.length;
  }

  add(device: number, sessionKeyId: string, wrapped: Uint8Array): number {
    const slot = this.#free.pop() ?? this.#end++;
    this.#states = withRoom(this.#states, slot + 1);
    this.#devices = withRoom(this.#devices, slot + 1);
    this.#ids = withRoom(this.#ids, slot + 1, 2);
    this.#keys = withRoom(this.#keys, slot + 1, wrappedOctets);
    this.#states[slot] = wrapped.length === wrappedOctets ? state.wrapped : state.broken;
    this.#devices[slot] = device;
    this.#ids[2 * slot] = hashText(sessionKeyId, 0x811c9dc5);
    this.#ids[2 * slot + 1] = hashText(sessionKeyId, 0x01000193);
    this.#keys.set(wrapped.subarray(0, wrappedOctets), slot * wrappedOctets);
    return slot;
  }

  /** Wipes the key and forgets its schedule. */
  remove(slot: number): void {
    this.#schedules.delete(slot);
    this.#keys.fill(0, slot * wrappedOctets, (slot + 1) * wrappedOctets);
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

  /** The AppSKey, ready for use; undefined where the wrapped key does not open. */
  schedule(slot: number): KeySchedule | undefined {
    const known = this.#schedules.peek(slot);
    if (known !== undefined) return known;
    const at = slot * wrappedOctets;
    if (this.#states[slot] === state.wrapped) this.#open(slot, at);
    if (this.#states[slot] !== state.clear) return undefined;
    return this.#schedules.get(slot, () => this.#keys.subarray(at, at + keyOctets));
  }

  #open(slot: number, at: number): void {
    const key = this.#unwrap(this.#keys.subarray(at, at + wrappedOctets));
    this.#states[slot] = key?.length === keyOctets ? state.clear : state.broken;
    this.#keys.fill(0, at, at + wrappedOctets);
    if (key?.length === keyOctets) this.#keys.set(key, at);
    key?.fill(0);
  }
}

/** FNV-1a, 32 bits. Two of them with different seeds tell apart the few sessions of one device. */
function hashText(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
