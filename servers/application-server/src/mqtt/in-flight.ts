/**
 * QoS 1 messages that a client has not acknowledged: a ring in the order of sending. Packet identifiers follow each other, so an
 * acknowledgement finds its place by subtraction, in whichever order they come.
 */
const identifiers = 65_535;

export type Place = { readonly position: number; readonly event: number };

export class InFlight {
  readonly #capacity: number;
  readonly #positions: Float64Array;
  readonly #events: Int32Array;
  readonly #acknowledged: Uint8Array;
  /** How many were ever added and how many are behind the oldest that is open. */
  #added = 0;
  #done = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#positions = new Float64Array(capacity);
    this.#events = new Int32Array(capacity);
    this.#acknowledged = new Uint8Array(capacity);
  }

  get size(): number {
    return this.#added - this.#done;
  }
  get isFull(): boolean {
    return this.size >= this.#capacity;
  }

  /** The packet identifier for it: 1 to 65535. */
  add(position: number, event: number): number {
    const slot = this.#added % this.#capacity;
    this.#positions[slot] = position;
    this.#events[slot] = event;
    this.#acknowledged[slot] = 0;
    return (this.#added++ % identifiers) + 1;
  }

  /** False where nothing with this identifier is under way. */
  acknowledge(packetId: number): boolean {
    const behind = (packetId - 1 - (this.#done % identifiers) + identifiers) % identifiers;
    if (behind >= this.size) return false;
    const slot = (this.#done + behind) % this.#capacity;
    if (this.#acknowledged[slot] === 1) return false;
    this.#acknowledged[slot] = 1;
    while (this.#done < this.#added && this.#acknowledged[this.#done % this.#capacity] === 1) this.#done++;
    return true;
  }

  /** The oldest that is open. */
  get oldest(): Place | undefined {
    if (this.size === 0) return undefined;
    const slot = this.#done % this.#capacity;
    return { position: this.#positions[slot] as number, event: this.#events[slot] as number };
  }

  /** All that are open, with their identifiers, oldest first. */
  *open(): Generator<Place & { readonly packetId: number }> {
    for (let n = this.#done; n < this.#added; n++) {
      const slot = n % this.#capacity;
      if (this.#acknowledged[slot] === 1) continue;
      const packetId = (n % identifiers) + 1;
      yield { position: this.#positions[slot] as number, event: this.#events[slot] as number, packetId };
    }
  }
}
