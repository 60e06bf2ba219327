/**
 * A gateway's 32-bit microsecond counter (`tmst`), extended to a time that does not wrap. It wraps every 71.6 minutes, and
 * starts anew when the forwarder does. The extended time starts out near the Unix time in microseconds, so that it means
 * the same before and after a restart of this server; all that counts is that it is congruent to `tmst`, and that only
 * frames that came late are behind others.
 */
const wrap = 2 ** 32;
/** Frames are out of order by less than this. A counter further back has wrapped, or was set back. */
const toleranceUs = 30_000_000;
/**
 * Frames are seldom later than this; a counter that is further behind was set back. Where it was a late frame after all,
 * nothing is lost: the present is taken for too early until the next frame, and the gateway itself refuses what is late.
 * Taken for too late, it would have every downlink refused here.
 */
const latestUs = 3_000_000;
/** So many frames are behind at most until a counter that was set back by less than that is noticed. */
const framesRemembered = 16;
/** How far two clocks drift apart: 100 ppm. */
const drift = 1e-4;

export class ConcentratorClock {
  /** The latest extended time and our time when it came, in microseconds. */
  #last: { readonly timeUs: number; readonly atUs: number } | undefined;
  /** Extended time less our time: the largest of the last frames, because delay in the network makes it smaller. */
  #offsetUs = 0;
  /** Of each of the last frames, the same with the drift since the Unix epoch added, so that they compare. */
  #offsets: number[] = [];

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
    const restarted = last === undefined || offsetUs < this.#offsetUs - (atUs - last.atUs) * drift - latestUs;
    if (restarted) this.#offsets = [];
    else if (this.#offsets.length === framesRemembered) this.#offsets.shift();
    this.#offsets.push(offsetUs + atUs * drift);
    this.#offsetUs = Math.max(...this.#offsets) - atUs * drift;
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
