/**
 * Sends the outbox to the application-server, in order, a few batches ahead of the answers. What was just committed comes from
 * memory, what is older from the disk. The cursor may lag behind on the disk: a batch that comes twice is taken once.
 * A batch that is refused for good goes in parts (in-parts.ts), without what the application-server will never take.
 */
import type { Store } from "@trefoil/store";
import type { NetworkEvent } from "@trefoil/wire";
import type { HotStatement } from "../schema.ts";
import { isRefusedForGood, type Refused, sendInParts } from "./in-parts.ts";
import { lastSequence, type OutboxBatch } from "./outbox.ts";

export type SenderPorts = {
  /** Resolves with the application-server's answer: it has committed the batch. */
  readonly send: (batch: OutboxBatch) => Promise<unknown>;
  readonly failed: (error: unknown) => void;
  /** An event was put aside: it will not be delivered. */
  readonly quarantined: (event: NetworkEvent, code: string) => void;
};
export type SenderOptions = {
  readonly window: number;
  readonly keepEvents: number;
  readonly rememberedOctets: number;
  readonly cursorEveryMs: number;
  readonly retryMs: number;
};
export const senderDefaults: Omit<SenderOptions, "keepEvents"> = {
  window: 16,
  rememberedOctets: 32 * 1024 * 1024,
  cursorEveryMs: 1_000,
  retryMs: 500,
};

const name = "application-server";
/** Batches read from the disk at once while the application-server is behind. */
const readAhead = 4;

export class Sender {
  readonly #store: Store<HotStatement>;
  readonly #ports: SenderPorts;
  readonly #options: SenderOptions;
  readonly #recent = new Map<number, OutboxBatch>();
  #recentOctets = 0;
  #last: number;
  #answered: number;
  #stored: number;
  #next: number;
  readonly #inFlight = new Set<number>();
  /** Batches that go in parts. Never the same one twice at a time: the application-server knows a part by its batch's number. */
  readonly #inParts = new Map<number, Promise<void>>();
  #epoch = 0;
  #isUp = false;
  #retry: NodeJS.Timeout | undefined;
  readonly #cursorTimer: NodeJS.Timeout;

  constructor(store: Store<HotStatement>, ports: SenderPorts, options: SenderOptions) {
    this.#store = store;
    this.#ports = ports;
    this.#options = options;
    this.#last = lastSequence(store);
    this.#answered =
      store.read<{ sequence: number }>("SELECT sequence FROM cursor WHERE name = ?").get(name)?.sequence ?? 0;
    this.#stored = this.#answered;
    this.#next = this.#answered + 1;
    this.#cursorTimer = setInterval(() => void this.#storeCursor().catch(ports.failed), options.cursorEveryMs);
    this.#cursorTimer.unref();
  }

  /** Batches that the application-server has not answered. */
  get waiting(): number {
    return this.#last - this.#answered;
  }
  get answered(): number {
    return this.#answered;
  }

  /** A batch has been committed. */
  add(batch: OutboxBatch): void {
    this.#last = batch.sequence;
    this.#recent.set(batch.sequence, batch);
    this.#recentOctets += batch.octets;
    for (const [sequence, { octets }] of this.#recent) {
      if (this.#recentOctets <= this.#options.rememberedOctets && sequence > this.#answered) break;
      this.#recent.delete(sequence);
      this.#recentOctets -= octets;
    }
    this.#pump();
  }

  /** The link is there, perhaps anew: what was not answered is sent again. */
  up(): void {
    this.#isUp = true;
    this.#again();
  }
  down(): void {
    this.#isUp = false;
  }

  /** Ends it, with the cursor on the disk. */
  async close(): Promise<void> {
    this.#isUp = false;
    clearInterval(this.#cursorTimer);
    clearTimeout(this.#retry);
    await this.#storeCursor();
  }

  #again(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#epoch++;
    this.#inFlight.clear();
    this.#next = this.#answered + 1;
    this.#pump();
  }

  #pump(): void {
    while (this.#isUp && !this.#retry && this.#next <= this.#last && this.#inFlight.size < this.#options.window) {
      const batch = this.#recent.get(this.#next);
      const batches = batch ? [batch] : this.#fromDisk(this.#next, readAhead);
      if (batches.length === 0) return;
      for (const one of batches) this.#send(one);
    }
  }

  #send(batch: OutboxBatch): void {
    const epoch = this.#epoch;
    this.#next = batch.sequence + 1;
    this.#inFlight.add(batch.sequence);
    this.#deliver(batch, () => epoch === this.#epoch).then(
      () => {
        if (epoch === this.#epoch) this.#onAnswer(batch.sequence);
      },
      (error) => {
        if (epoch !== this.#epoch) return;
        this.#ports.failed(error);
        this.#epoch++; // What is behind it may have arrived: it is sent again after it, in order.
        this.#retry ??= setTimeout(() => this.#again(), this.#options.retryMs).unref();
      },
    );
  }

  async #deliver(batch: OutboxBatch, isCurrent: () => boolean): Promise<void> {
    const { sequence } = batch;
    const parted = this.#inParts.get(sequence);
    if (parted) {
      await parted.catch(() => undefined);
      const left = isCurrent() ? (this.#recent.get(sequence) ?? this.#fromDisk(sequence, 1)[0]) : undefined;
      return left && this.#deliver(left, isCurrent);
    }
    if (batch.events.length === 0) return;
    try {
      await this.#ports.send(batch);
    } catch (error) {
      if (!isRefusedForGood(error) || !isCurrent()) throw error;
      const parts = sendInParts(batch, error.code, {
        send: this.#ports.send,
        isCurrent,
        left: (events, refused) => this.#shorten(sequence, events, refused),
      }).finally(() => this.#inParts.delete(sequence));
      this.#inParts.set(sequence, parts);
      await parts;
    }
  }

  /** So much of a batch is left to send; on the disk too, before the next part goes. */
  async #shorten(sequence: number, events: readonly NetworkEvent[], refused?: Refused): Promise<void> {
    const text = JSON.stringify(events);
    const put = refused && [sequence, JSON.stringify(refused.event), refused.code];
    await this.#store.commit([
      { statement: "shortenBatch", rows: [[sequence, text]] },
      ...(put ? [{ statement: "quarantine", rows: [put] } as const] : []),
    ]);
    const recent = this.#recent.get(sequence);
    // Its octets stay as they were counted: what is added is what is taken away.
    if (recent) this.#recent.set(sequence, { ...recent, events });
    if (refused) this.#ports.quarantined(refused.event, refused.code);
  }

  /** Answers may overtake each other: the cursor stands before the oldest batch that is still open. */
  #onAnswer(sequence: number): void {
    this.#inFlight.delete(sequence);
    let oldest = this.#next;
    for (const open of this.#inFlight) if (open < oldest) oldest = open;
    this.#answered = oldest - 1;
    this.#pump();
  }

  #fromDisk(first: number, most: number): OutboxBatch[] {
    return this.#store
      .read<{ sequence: number; events: string }>(
        "SELECT sequence, events FROM outbox WHERE sequence >= ? ORDER BY sequence LIMIT ?",
      )
      .all(first, most)
      .map(({ sequence, events }) => ({ sequence, events: JSON.parse(events), octets: events.length }));
  }

  async #storeCursor(): Promise<void> {
    if (this.#answered === this.#stored) return;
    const sequence = this.#answered;
    this.#stored = sequence;
    await this.#store.commit([
      { statement: "moveCursor", rows: [[name, sequence]] },
      { statement: "pruneOutbox", rows: [[sequence, this.#options.keepEvents]] },
    ]);
  }
}
