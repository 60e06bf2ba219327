/** Uplinks whose key has not come: kept, up to a bound, and appended to the log again when it comes. */
import type { Store } from "@trefoil/store";
import type { Ops } from "../devices/session-book.ts";
import type { Uplink } from "../json/messages.ts";
import type { HotStatement } from "../schema.ts";
import type { EventLog } from "./event-log.ts";

const mostKept = 10_000;
type Row = { readonly unread: number; readonly event: string };

export class Unread {
  readonly #store: Store<HotStatement>;
  readonly #log: EventLog;
  #size: number;

  constructor(store: Store<HotStatement>, log: EventLog) {
    this.#store = store;
    this.#log = log;
    this.#size = this.#count();
  }

  get size(): number {
    return this.#size;
  }

  /** The outcome, for the metrics. */
  keep(device: number, event: Uplink, ops: Ops): "kept-for-its-key" | "lost-for-want-of-a-key" {
    if (this.#size >= mostKept) return "lost-for-want-of-a-key";
    this.#size++;
    ops.push({ statement: "keepUnread", rows: [[device, event.sessionKeyId, JSON.stringify(event)]] });
    return "kept-for-its-key";
  }

  /** The key of this session is here. */
  async release(device: number, sessionKeyId: string): Promise<void> {
    if (this.#size === 0) return;
    const rows = this.#store
      .read<Row>("SELECT unread, event FROM unread WHERE device = ? AND session_key_id = ? ORDER BY unread")
      .all(device, sessionKeyId);
    if (rows.length === 0) return;
    const events = rows.map(({ event }) => JSON.parse(event) as Uplink);
    await this.#log.append(events, [{ statement: "dropUnread", rows: rows.map(({ unread }) => [unread]) }]);
    this.recount();
  }

  recount(): void {
    this.#size = this.#count();
  }

  #count(): number {
    return this.#store.read<{ kept: number }>("SELECT count(*) AS kept FROM unread").get()?.kept ?? 0;
  }
}
