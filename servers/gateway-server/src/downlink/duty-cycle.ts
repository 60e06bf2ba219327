/**
 * How long one gateway has transmitted in each sub-band during the last hour (ETSI EN 300 220 §4.3.3: the duty cycle is
 * taken over an hour). Kept on this server's clock, which a restart of the gateway does not set back.
 */
import { type RegionParameters, type SubBand, subBandAt } from "@trefoil/lorawan";
import type { Priority } from "@trefoil/wire";

const hourMs = 3_600_000;

/** The share of a sub-band's budget that is open to each priority: what is left at the end is for joins. */
const shareOf: { readonly [priority in Priority]: number } = {
  "join-accept": 1,
  "class-a": 0.9,
  "class-b": 0.75,
  "class-c": 0.6,
};

type Spent = { readonly atMs: number; readonly airtimeMs: number };

export class DutyCycle {
  readonly #spent = new Map<SubBand, Spent[]>();

  /** Whether this much more is allowed now. A frequency in no sub-band has no duty cycle. */
  allows(region: RegionParameters, hz: number, airtimeMs: number, priority: Priority, nowMs: number): boolean {
    const band = subBandAt(region, hz);
    if (!band) return true;
    return this.#usedMs(band, nowMs) + airtimeMs <= band.dutyCycle * hourMs * shareOf[priority];
  }

  /** Call the result when the transmission did not take place. */
  spend(region: RegionParameters, hz: number, airtimeMs: number, nowMs: number): () => void {
    const band = subBandAt(region, hz);
    if (!band) return () => {};
    const entry = { atMs: nowMs, airtimeMs };
    const list = this.#spent.get(band) ?? [];
    list.push(entry);
    this.#spent.set(band, list);
    return () => {
      const at = list.indexOf(entry);
      if (at >= 0) list.splice(at, 1);
    };
  }

  #usedMs(band: SubBand, nowMs: number): number {
    const list = this.#spent.get(band);
    if (!list) return 0;
    const old = list.findIndex(({ atMs }) => atMs > nowMs - hourMs);
    list.splice(0, old < 0 ? list.length : old);
    return list.reduce((sum, { airtimeMs }) => sum + airtimeMs, 0);
  }
}
