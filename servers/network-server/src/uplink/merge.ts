/**
 * Merges what several gateways heard of one frame (TS002 §16.1, de-duplication). Frames are told apart by their PHYPayload.
 * One coarse tick closes all frames whose window is over: no timer for a frame. A closed frame is remembered for a while,
 * so that a gateway that reports late does not look like a retransmission: a device repeats a frame only after its RX2.
 */
import type { Reception } from "@trefoil/wire";

/** A reception and whom it came from. */
export type Heard<From> = { readonly reception: Reception; readonly from: From };
/** One frame with all hearings of it, the first one first. `firstAt`: when it was heard first, by the caller's clock. */
export type Merged<From> = {
  readonly phyPayload: string;
  readonly firstAt: number;
  heard: readonly Heard<From>[];
  closed: boolean;
};
export type MergeOptions = { readonly windowMs: number; readonly lateMs: number; readonly tickMs: number };

/** "late": after the window; "too-many": more hearings than one frame can have. Both are not in `heard`. */
export type Offered = "first" | "again" | "late" | "too-many";

type Bucket<From> = { readonly until: number; readonly frames: Merged<From>[] };

/** A forged or broken gateway must not fill the memory with one frame. */
const mostHearings = 128;

export class Merger<From> {
  readonly #options: MergeOptions;
  readonly #frames = new Map<string, Merged<From>>();
  #open: Bucket<From>[] = [];
  #remembered: Bucket<From>[] = [];

  constructor(options: MergeOptions) {
    this.#options = options;
  }

  /** Frames that are still open or remembered. */
  get size(): number {
    return this.#frames.size;
  }

  /** Takes one reception. `now` is any clock in milliseconds that never goes back. */
  offer(reception: Reception, from: From, now: number): { readonly frame: Merged<From>; readonly is: Offered } {
    const known = this.#frames.get(reception.phyPayload);
    if (known) {
      if (known.closed) return { frame: known, is: "late" };
      if (known.heard.length >= mostHearings) return { frame: known, is: "too-many" };
      (known.heard as Heard<From>[]).push({ reception, from });
      return { frame: known, is: "again" };
    }
    const { phyPayload } = reception;
    const frame: Merged<From> = { phyPayload, firstAt: now, heard: [{ reception, from }], closed: false };
    this.#frames.set(phyPayload, frame);
    const last = this.#open.at(-1);
    const until = now + this.#options.windowMs;
    if (last && until - last.until < this.#options.tickMs) last.frames.push(frame);
    else this.#open.push({ until, frames: [frame] });
    return { frame, is: "first" };
  }

  /** All frames whose window is over, in the order in which they were first heard. */
  close(now: number): Merged<From>[] {
    const closed: Merged<From>[] = [];
    let due = 0;
    for (; due < this.#open.length && (this.#open[due] as Bucket<From>).until <= now; due++) {
      const { frames } = this.#open[due] as Bucket<From>;
      for (const frame of frames) {
        frame.closed = true;
        closed.push(frame);
      }
      this.#remembered.push({ until: now + this.#options.lateMs, frames });
    }
    if (due > 0) this.#open = this.#open.slice(due);
    this.#forgetPast(now);
    return closed;
  }

  /** Its fate is decided: only its name is still remembered. */
  release(frame: Merged<From>): void {
    frame.heard = [];
  }

  /** A closed frame that came to nothing: when it is heard again, it is a new one. */
  forget(frame: Merged<From>): void {
    if (this.#frames.get(frame.phyPayload) === frame) this.#frames.delete(frame.phyPayload);
  }

  #forgetPast(now: number): void {
    let past = 0;
    for (; past < this.#remembered.length && (this.#remembered[past] as Bucket<From>).until <= now; past++) {
      for (const frame of (this.#remembered[past] as Bucket<From>).frames) this.forget(frame);
    }
    if (past > 0) this.#remembered = this.#remembered.slice(past);
  }
}

/** One entry for each gateway and antenna that heard the frame: a batch that a link sent twice counts once. */
export function distinctHearings<From>(heard: readonly Heard<From>[]): readonly Heard<From>[] {
  if (heard.length === 1) return heard;
  const kept: Heard<From>[] = [];
  for (const one of heard) {
    const same = kept.findIndex(
      ({ reception }) =>
        reception.gateway === one.reception.gateway &&
        reception.antenna === one.reception.antenna &&
        reception.concentratorTime === one.reception.concentratorTime,
    );
    // The later one came over the younger connection, which is the one to answer on.
    if (same >= 0) kept[same] = one;
    else kept.push(one);
  }
  return kept;
}
