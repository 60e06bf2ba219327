/**
 * A gateway's 32-bit microsecond counter (`tmst`), extended to a time that does not wrap. It wraps every 71.6 minutes, and
 * starts anew when the forwarder does. The extended time starts out near the Unix time in microseconds, so that it means
 * the same before and after a restart of this server; all that counts is that it is congruent to `tmst`, and that only
 * frames that came late are behind others.
 */
const wrap = 2 ** 32;
/** Frames come late and out of order by this much (network delay); further back is a restarted concentrator. */
const toleranceUs = 30_000_000;
/** How far two clocks drift apart: 100 ppm. */
const drift = 1e-4;

export class ConcentratorClock {
  /** The latest extended time and our time when it came, in microseconds. */
  #last: { readonly timeUs: number; readonly atUs: number } | undefined;
  /** Extended time less our time: the largest lately, because delay in the network makes it smaller. */
  #offsetUs = 0;

  /** The extended time of a frame's `tmst`, heard now. */
  extend(tmst: number, nowMs: number): number {
    const atUs = Math.round(nowMs * 1000);
    const last = this.#last;
    const expected = last === undefined ? atUs : last.timeUs + (atUs - last.atUs);
    let timeUs = expected + signedDifference(tmst, expected);
    if (last !== undefined && timeUs < last.timeUs - toleranceUs) timeUs += wrap;
    // A counter that jumps at every frame would leave the range of exact numbers.
    if (timeUs < 0 || timeUs > Number.MAX_SAFE_INTEGER) timeUs = atUs + signedDifference(tmst, atUs);
    const offsetUs = timeUs - atUs;
    const restarted = last === undefined || Math.abs(offsetUs - this.#offsetUs) > toleranceUs;
    this.#offsetUs = restarted ? offsetUs : Math.max(this.#offsetUs - (atUs - last.atUs) * drift, offsetUs);
    if (restarted || timeUs > last.timeUs) this.#last = { timeUs, atUs };
    return timeUs;
  }

  /** The extended time that it is at the gateway now, at the earliest. `undefined` before the first frame. */
  nowUs(nowMs: number): number | undefined {
    return this.#last && nowMs * 1000 + this.#offsetUs;
  }
}

/** The counter that a gateway shows at an extended time. */
export const tmstAt = (timeUs: number): number => ((timeUs % wrap) + wrap) % wrap;

/** `tmst` less `time` modulo 2^32, as the nearest: from −2^31 to 2^31 − 1. Both are whole. */
function signedDifference(tmst: number, time: number): number {
  const ahead = tmstAt(tmst - time);
  return ahead >= wrap / 2 ? ahead - wrap : ahead;
}
