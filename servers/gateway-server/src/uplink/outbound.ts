/**
 * Receptions on their way to the network-server: gathered for up to 5 ms, sent as one request, and kept until it is
 * answered. Without a link they wait, in order and in bounded number; what was sent and not answered is sent again.
 */
import type { Reception } from "@trefoil/wire";

export type OutboundPorts = {
  /** Rejects when it was not taken. */
  readonly request: (receptions: readonly Reception[]) => Promise<unknown>;
  readonly isUp: () => boolean;
  /** The network-server will never take this batch: told once, and dropped. */
  readonly refused: (receptions: readonly Reception[], error: unknown) => void;
};
export type OutboundLimits = {
  readonly gatherMs: number;
  readonly batch: number;
  /** Requests without an answer. */
  readonly inFlight: number;
  /** Receptions waiting, those in flight included. */
  readonly waiting: number;
  readonly retryMs: number;
};
type Batch = { readonly sequence: number; readonly receptions: Reception[] };
const usual: OutboundLimits = { gatherMs: 5, batch: 512, inFlight: 256, waiting: 200_000, retryMs: 1_000 };

export class Outbound {
  readonly #ports: OutboundPorts;
  readonly #limits: OutboundLimits;
  #gathering: Reception[] = [];
  /** Closed batches, oldest first: a device's frames must not overtake each other, or the older ones look replayed. */
  #queue: Batch[] = [];
  #sequence = 0;
  #inFlight = 0;
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;
  #empty: (() => void)[] = [];

  constructor(ports: OutboundPorts, limits: Partial<OutboundLimits> = {}) {
    this.#ports = ports;
    this.#limits = { ...usual, ...limits };
  }

  /** Receptions that are kept at the moment. */
  get waiting(): number {
    return this.#waiting;
  }

  /** False when there is no room: the reception is lost, and counted by the caller. */
  add(reception: Reception): boolean {
    if (this.#waiting >= this.#limits.waiting) return false;
    this.#waiting++;
    if (this.#gathering.push(reception) >= this.#limits.batch) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), this.#limits.gatherMs);
    return true;
  }

  /** Sends what there is. Call it when the link has come up. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gathering.length > 0) {
      const last = this.#queue.at(-1)?.receptions;
      if (last && last.length + this.#gathering.length <= this.#limits.batch) last.push(...this.#gathering);
      else this.#queue.push({ sequence: this.#sequence++, receptions: this.#gathering });
      this.#gathering = [];
    }
    while (this.#inFlight < this.#limits.inFlight && this.#ports.isUp()) {
      const batch = this.#queue.shift();
      if (!batch) break;
      this.#inFlight++;
      void this.#send(batch);
    }
  }

  /** Resolves when all was answered, or after the given time. */
  async drained(atMostMs: number): Promise<void> {
    this.flush();
    if (this.#waiting === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#empty.push(resolve);
      timer = setTimeout(resolve, atMostMs);
    });
    clearTimeout(timer);
  }

  async #send(batch: Batch): Promise<void> {
    const { receptions } = batch;
    const fate = await this.#ports.request(receptions).then(
      () => "answered" as const,
      (error: unknown) => (isFinal(error) ? { error } : ("again" as const)),
    );
    this.#inFlight--;
    if (fate === "again") {
      const later = this.#queue.findIndex(({ sequence }) => sequence > batch.sequence);
      this.#queue.splice(later < 0 ? this.#queue.length : later, 0, batch);
      this.#timer ??= setTimeout(() => this.flush(), this.#limits.retryMs);
      return;
    }
    if (fate !== "answered") this.#ports.refused(receptions, fate.error);
    this.#waiting -= receptions.length;
    if (this.#queue.length > 0) this.flush();
    if (this.#waiting === 0) for (const done of this.#empty.splice(0)) done();
  }
}

const isFinal = (error: unknown) => (error as { retry?: string }).retry === "never";
