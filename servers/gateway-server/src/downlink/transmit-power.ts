/**
 * The powers that one gateway can transmit at. A concentrator of the SX1301 family knows those of its gain table alone,
 * and `lora_pkt_fwd` answers any other with TX_ACK error TX_POWER and stays silent. The table is not told to us, so we
 * learn it from the refusals.
 */

/** dBm, the gain table of Semtech's reference design (`global_conf.json`): tables differ, but most have most of these. */
const usual = [27, 26, 25, 23, 20, 16, 14, 13, 12, 11, 10, 6, 3, 0, -3, -6];

export class TransmitPower {
  readonly #refused = new Set<number>();

  /** The most that is not above `dbm` and was not refused before. Where all were, they are tried anew: tables change. */
  atMost(dbm: number): number {
    if (!this.#refused.has(dbm)) return dbm;
    const lower = this.#below(dbm);
    if (lower === undefined) this.#refused.clear();
    return lower ?? dbm;
  }

  /** The gateway refused this power: the next lower to try, if any. */
  refused(dbm: number): number | undefined {
    this.#refused.add(dbm);
    return this.#below(dbm);
  }

  #below(dbm: number): number | undefined {
    return usual.find((one) => one < dbm && !this.#refused.has(one));
  }
}
