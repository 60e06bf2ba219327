/**
 * When to send, in absolute time: how many should have left by now, less how many have. What a late timer held back is
 * made good, but never more than `burstMs` worth at once: beyond that the schedule moves and the rest counts as skipped.
 */
export class Pacer {
  readonly #burstMs: number;
  #from = 0;
  #fromRate = 0;
  #toRate = 0;
  #rampMs = 0;
  #sent = 0;
  skipped = 0;

  constructor({ burstMs = 5 } = {}) {
    this.#burstMs = burstMs;
  }

  /** From now on `perSecond`. */
  setRate(nowMs: number, perSecond: number): void {
    this.ramp(nowMs, perSecond, perSecond, 0);
  }

  /** From now on rising (or falling) evenly for so many seconds, then steady. */
  ramp(nowMs: number, from: number, to: number, seconds: number): void {
    this.#from = nowMs;
    this.#fromRate = from;
    this.#toRate = to;
    this.#rampMs = seconds * 1000;
    this.#sent = 0;
  }

  rate(nowMs: number): number {
    const along = this.#rampMs === 0 ? 1 : Math.min(1, (nowMs - this.#from) / this.#rampMs);
    return this.#fromRate + (this.#toRate - this.#fromRate) * along;
  }

  /** How many to send now. */
  due(nowMs: number): number {
    const elapsed = nowMs - this.#from;
    const ramped = Math.min(elapsed, this.#rampMs);
    const during = ramped === 0 ? 0 : (ramped * (this.#fromRate + this.rate(this.#from + ramped))) / 2;
    const planned = Math.floor((during + Math.max(0, elapsed - this.#rampMs) * this.#toRate) / 1000);
    const most = Math.max(1, Math.ceil((this.rate(nowMs) * this.#burstMs) / 1000));
    const count = Math.min(planned - this.#sent, most);
    this.skipped += planned - this.#sent - count;
    this.#sent = planned;
    return count;
  }
}
