/** How well gateways heard a frame, and which of them answers it. */
import type { Reception } from "@trefoil/wire";
import type { Heard } from "./merge.ts";

const heardBetter = (a: Reception, b: Reception) => (b.snr ?? b.rssi) - (a.snr ?? a.rssi) || b.rssi - a.rssi;

/** Best first: by signal to noise ratio (FSK has none and counts by strength alone), then by strength. */
export function byQuality<From>(heard: readonly Heard<From>[]): readonly Heard<From>[] {
  if (heard.length === 1) return heard;
  return heard.toSorted((a, b) => heardBetter(a.reception, b.reception));
}

/**
 * Who may answer, in the order in which to try: one hearing of each gateway, and only those on the channel of the best one.
 * A strong signal is also heard as a ghost on a neighbouring channel, where the device will not listen.
 */
export function answerOrder<From>(best: readonly Heard<From>[]): readonly Heard<From>[] {
  const first = best[0];
  if (first === undefined || best.length === 1) return best;
  const gateways = new Set<string>();
  return best.filter(({ reception }) => {
    const same = Math.abs(reception.hz - first.reception.hz) < 1_000 && reception.dataRate === first.reception.dataRate;
    if (!same || gateways.has(reception.gateway)) return false;
    gateways.add(reception.gateway);
    return true;
  });
}
