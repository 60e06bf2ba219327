/**
 * Finds the highest rate that is sustained: doubling until it is not, halving the interval until it is narrow, then a long
 * trial; where that fails, a tenth less, until one holds. Pure but for `attempt`.
 */
export type Attempt<Outcome> = (rate: number, seconds: number) => Promise<Outcome>;
export type SearchOptions = {
  readonly from: number;
  readonly shortSeconds: number;
  readonly longSeconds: number;
  /** The interval is narrow when its ends differ by this share. */
  readonly precision?: number;
  readonly most?: number;
};

/** `rate` is what was really sent: less than was asked for, where the load generator is at its own limit. */
type Tried = { readonly sustained: boolean; readonly rate: number };

export async function search<Outcome extends Tried>(
  attempt: Attempt<Outcome>,
  { from, shortSeconds, longSeconds, precision = 0.08, most = 200_000 }: SearchOptions,
): Promise<Outcome> {
  let good = 0;
  let bad = Number.POSITIVE_INFINITY;
  for (let rate = from; rate > good && rate < bad; ) {
    const outcome = await attempt(rate, shortSeconds);
    const more = outcome.sustained && outcome.rate > good * 1.02; // no more came of asking for more: the generator's own limit
    if (more) good = outcome.rate;
    else bad = rate;
    if (good >= most || bad / good <= 1 + precision) break;
    if (bad === Number.POSITIVE_INFINITY) rate *= 2;
    else rate = good === 0 ? Math.floor(bad / 2) : Math.round(Math.sqrt(good * bad));
  }
  if (good === 0) throw new Error("not even one uplink per second was sustained");
  for (let rate = good; ; rate = Math.floor(rate * 0.9)) {
    if (rate < 1) throw new Error("no rate was sustained for long");
    const outcome = await attempt(rate, longSeconds);
    if (outcome.sustained) return outcome;
  }
}
