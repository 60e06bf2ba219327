/**
 * The queue of what a gateway will send, "just in time". The checks and margins are those of Semtech's reference packet
 * forwarder (lora_pkt_fwd 4.0.1, jitqueue): a packet that does not fit is refused at once.
 * All times are 32-bit counters of the concentrator; differences are taken modulo 2^32.
 */
export type JitRefusal = "TOO_LATE" | "TOO_EARLY" | "COLLISION_PACKET";
export type JitEntry<T> = { readonly tmst: number; readonly airtimeUs: number; readonly packet: T };

const txStartDelay = 1_500;
const txMarginDelay = 1_000;
const txJitDelay = 30_000;
const preDelay = txStartDelay + txJitDelay;
const maxAdvance = (3 + 1) * 128 * 1_000_000;
const capacity = 32;
/** An "immediate" packet is planned this far ahead. */
const immediateDelay = 1_000_000;

const ahead = (a: number, b: number): number => (a - b) >>> 0;

export class JitQueue<T> {
  #entries: JitEntry<T>[] = [];

  get size(): number {
    return this.#entries.length;
  }

  /** Plans a packet at `tmst`, or at once when that is absent; answers what was planned. */
  add(
    now: number,
    { tmst, airtimeUs, packet }: { tmst?: number | undefined; airtimeUs: number; packet: T },
  ): JitEntry<T> | JitRefusal {
    if (this.#entries.length >= capacity) return "COLLISION_PACKET";
    const at = tmst ?? this.#nextFree((now + immediateDelay) >>> 0, airtimeUs);
    const lead = ahead(at, now);
    if (lead <= preDelay + txMarginDelay) return "TOO_LATE";
    if (lead > maxAdvance) return "TOO_EARLY";
    if (this.#entries.some((entry) => collides(entry, at, airtimeUs))) return "COLLISION_PACKET";
    const entry = { tmst: at, airtimeUs, packet };
    this.#entries.push(entry);
    return entry;
  }

  /** The packet has been sent. */
  remove(entry: JitEntry<T>): void {
    this.#entries = this.#entries.filter((other) => other !== entry);
  }

  #nextFree(from: number, airtimeUs: number): number {
    const candidates = [
      from,
      ...this.#entries.map((entry) => (entry.tmst + entry.airtimeUs + preDelay + txMarginDelay + 1) >>> 0),
    ];
    const free = candidates.filter(
      (at) => ahead(at, from) < maxAdvance && !this.#entries.some((entry) => collides(entry, at, airtimeUs)),
    );
    return free.sort((a, b) => ahead(a, from) - ahead(b, from))[0] ?? from;
  }
}

/** Does the later one begin before the earlier one has left room for it? */
function collides<T>(entry: JitEntry<T>, at: number, airtimeUs: number): boolean {
  return (
    ahead(entry.tmst, at) <= preDelay + airtimeUs + txMarginDelay ||
    ahead(at, entry.tmst) <= preDelay + entry.airtimeUs + txMarginDelay
  );
}
