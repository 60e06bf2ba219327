/** What is remembered of the few sessions that send rejoin-requests of types 0 and 2, or shall: by SessionID, beside the columns. */
export type Rejoin = {
  /** The highest RJcount0 that was accepted, -1 for none. It begins anew with each session (LoRaWAN 1.1 §6.2.4.1). */
  readonly rjCount0: number;
  /** Type 2 was asked for, as by ForceRejoinReq: it is answered for as long as this session lasts, for the accept may be lost. */
  readonly isAsked: boolean;
};
const none: Rejoin = { rjCount0: -1, isAsked: false };

export class Rejoins {
  readonly #of = new Map<number, Rejoin>();

  of(sessionId: number): Rejoin {
    return this.#of.get(sessionId) ?? none;
  }
  set(sessionId: number, change: Partial<Rejoin>): void {
    this.#of.set(sessionId, { ...this.of(sessionId), ...change });
  }
  forget(sessionId: number): void {
    this.#of.delete(sessionId);
  }
}
