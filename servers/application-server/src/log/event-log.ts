/**
 * The log that every MQTT session reads: batches of events in the order of their commits, durable, the youngest also in memory.
 * Positions rise by one for each batch; one that could not be committed leaves a hole.
 */
import type { Op, Store } from "@trefoil/store";
import type { HotStatement } from "../schema.ts";
import type { LogEvent } from "./events.ts";

/** Something of an event that is made once for all who read it. */
export type Rendered = { readonly topic: string; readonly payload: string };
export type Entry = {
  readonly position: number;
  /** When this server took it. */
  readonly at: number;
  readonly events: readonly LogEvent[];
  /** For each event: the device's number, its application's, and the topic kind; -1 where nothing is to be published. */
  readonly devices: Int32Array;
  readonly applications: Int32Array;
  readonly kinds: Int8Array;
  /** null: it cannot be read (no key). */
  readonly rendered: (Rendered | null | undefined)[];
};
export type OpenEntry = (position: number, at: number, events: readonly LogEvent[]) => Entry;

export type EventLogOptions = {
  readonly keepEvents: number;
  /** Events of the youngest batches that stay in memory. */
  readonly rememberedEvents?: number;
  /** A reader threw: its batch is committed all the same. */
  readonly readerFailed?: (error: unknown) => void;
};
type Row = { readonly position: number; readonly at: number; readonly events: string };

/** However small `keepEvents` is: what a short outage of a subscriber needs, and what tells a batch that came twice. */
const leastKept = 1_000;
const rereadEntries = 8;

export class EventLog {
  readonly #store: Store<HotStatement>;
  readonly #open: OpenEntry;
  readonly #keep: number;
  readonly #rememberedEvents: number;
  readonly #recent = new Map<number, Entry>();
  #recentEvents = 0;
  /** Of old batches, the last ones that somebody read. */
  readonly #reread = new Map<number, Entry>();
  #next: number;
  #total: number;
  #end: number;
  #oldest: number;
  #prunedTo = 0;
  readonly #readers: ((entry: Entry) => void)[] = [];

  readonly #readerFailed: (error: unknown) => void;

  constructor(
    store: Store<HotStatement>,
    open: OpenEntry,
    { keepEvents, rememberedEvents = 16_384, readerFailed = () => undefined }: EventLogOptions,
  ) {
    this.#readerFailed = readerFailed;
    this.#store = store;
    this.#open = open;
    this.#keep = Math.max(keepEvents, leastKept);
    this.#rememberedEvents = rememberedEvents;
    const last = store
      .read<{ position: number; total: number }>("SELECT position, total FROM log ORDER BY position DESC LIMIT 1")
      .get();
    this.#next = (last?.position ?? 0) + 1;
    this.#total = last?.total ?? 0;
    this.#end = this.#next;
    this.#oldest = this.#readOldest();
    const first = store.read<{ total: number }>("SELECT total FROM log ORDER BY position LIMIT 1").get();
    this.#prunedTo = first?.total ?? this.#total;
  }

  /** The position that the next batch will have. */
  get next(): number {
    return this.#next;
  }
  /** Behind the last committed batch. */
  get end(): number {
    return this.#end;
  }
  get oldest(): number {
    return this.#oldest;
  }
  get events(): number {
    return this.#total - this.#prunedTo;
  }

  /** Called for each committed batch, in order. */
  onEntry(read: (entry: Entry) => void): void {
    this.#readers.push(read);
  }

  /** Commits a batch together with `ops`. Call it with ops that were made for `next`, in the same turn. */
  async append(
    events: readonly LogEvent[],
    ops: readonly Op<HotStatement>[],
    sequence: number | null = null,
  ): Promise<Entry> {
    const position = this.#next++;
    const at = Date.now();
    this.#total += events.length;
    const row = [position, sequence, at, this.#total, JSON.stringify(events)];
    await this.#store.commit([...ops, { statement: "appendLog", rows: [row] }]);
    const entry = this.#open(position, at, events);
    this.#remember(entry);
    this.#end = position + 1;
    for (const read of this.#readers) this.#tell(read, entry);
    return entry;
  }

  /** The batch is committed: a reader that throws takes nothing from whoever appended, nor from the other readers. */
  #tell(read: (entry: Entry) => void, entry: Entry): void {
    try {
      read(entry);
    } catch (error) {
      this.#readerFailed(error);
    }
  }

  /** The batch at `position`, or the first one after it; undefined at the end. */
  read(position: number): Entry | undefined {
    if (position >= this.#end) return undefined;
    return this.#recent.get(position) ?? this.#reread.get(position) ?? this.#fromDisk(position);
  }

  /** The ids of a batch that the network-server sent under this number, if it is still here. */
  firstIdOf(sequence: number): string | undefined {
    const row = this.#store
      .read<{ events: string }>("SELECT events FROM log WHERE network_sequence = ? ORDER BY position DESC LIMIT 1")
      .get(sequence);
    return row === undefined ? undefined : (JSON.parse(row.events) as LogEvent[])[0]?.id;
  }

  get lastSequence(): number {
    return this.#store.read<{ last: number | null }>("SELECT max(network_sequence) AS last FROM log").get()?.last ?? 0;
  }

  /** Forgets what is older than the last `keepEvents`, and what only old events needed. */
  async prune(): Promise<void> {
    const border = this.#total - this.#keep;
    if (border <= this.#prunedTo) return;
    this.#prunedTo = border;
    await this.#store.commit([{ statement: "pruneLog", rows: [[border]] }]);
    this.#oldest = this.#readOldest();
    await this.#store.commit([
      { statement: "retirePruned", rows: [[this.#oldest]] },
      { statement: "pruneSessions", rows: [[this.#oldest]] },
      { statement: "pruneDownlinks", rows: [[this.#oldest]] },
    ]);
  }

  #remember(entry: Entry): void {
    this.#recent.set(entry.position, entry);
    this.#recentEvents += entry.events.length;
    for (const [position, old] of this.#recent) {
      if (this.#recentEvents <= this.#rememberedEvents || position === entry.position) break;
      this.#recent.delete(position);
      this.#recentEvents -= old.events.length;
    }
  }

  #fromDisk(from: number): Entry | undefined {
    const row = this.#store
      .read<Row>("SELECT position, at, events FROM log WHERE position >= ? ORDER BY position LIMIT 1")
      .get(from);
    if (row === undefined || row.position >= this.#end) return undefined;
    const known = this.#recent.get(row.position) ?? this.#reread.get(row.position);
    if (known !== undefined) return known;
    const entry = this.#open(row.position, row.at, JSON.parse(row.events) as LogEvent[]);
    this.#reread.set(entry.position, entry);
    for (const position of this.#reread.keys()) {
      if (this.#reread.size <= rereadEntries) break;
      this.#reread.delete(position);
    }
    return entry;
  }

  #readOldest(): number {
    return (
      this.#store.read<{ oldest: number | null }>("SELECT min(position) AS oldest FROM log").get()?.oldest ?? this.#end
    );
  }
}
