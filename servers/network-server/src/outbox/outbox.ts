/**
 * The outbox: batches of events, committed in one unit with the claims that they tell of (DESIGN §4). The store numbers them;
 * as units commit in the order of the calls, counting the successful ones here gives the same numbers.
 */
import type { Op, Store } from "@trefoil/store";
import type { NetworkEvent } from "@trefoil/wire";
import type { HotStatement } from "../schema.ts";

/** A committed batch. `octets`: roughly, of its JSON. */
export type OutboxBatch = {
  readonly sequence: number;
  readonly events: readonly NetworkEvent[];
  readonly octets: number;
};

export class Outbox {
  readonly #store: Store<HotStatement>;
  readonly #committed: (batch: OutboxBatch) => void;
  #last: number;

  constructor(store: Store<HotStatement>, committed: (batch: OutboxBatch) => void) {
    this.#store = store;
    this.#committed = committed;
    this.#last = lastSequence(store);
  }

  /** The number of the youngest batch on the disk. */
  get last(): number {
    return this.#last;
  }

  /** Commits all ops and the events, or nothing. From its resolution on the events are acknowledged and on their way. */
  async commit(ops: readonly Op<HotStatement>[], events: readonly NetworkEvent[]): Promise<void> {
    if (events.length === 0) {
      if (ops.length > 0) await this.#store.commit(ops);
      return;
    }
    const text = JSON.stringify(events);
    await this.#store.commit([...ops, { statement: "appendEvents", rows: [[text, events.length]] }]);
    this.#committed({ sequence: ++this.#last, events, octets: text.length });
  }
}

export const lastSequence = (store: Store<HotStatement>): number =>
  store.read<{ last: number | null }>("SELECT max(sequence) AS last FROM outbox").get()?.last ?? 0;
