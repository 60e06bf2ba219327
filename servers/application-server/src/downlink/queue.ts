/**
 * The downlink queue of each device: in memory what is open, in the store also what was sent, for as long as the log speaks of it.
 *
 *   waiting → reserving → counted → offered → sent (confirmed: until its ACK) → gone
 *                └──────────┴─────────┴→ withdrawing (replaced) → gone;   invalidated: → waiting
 *
 * `counted` is on the disk before anything is encrypted: session and FCntDown belong to this plaintext for ever.
 */
import { randomUUID } from "node:crypto";
import type { Store } from "@trefoil/store";
import type { NetworkEvent } from "@trefoil/wire";
import type { Ops } from "../devices/session-book.ts";
import type { DownlinkContent } from "../log/events.ts";
import type { HotStatement } from "../schema.ts";

export type Counter = { readonly sessionKeyId: string; readonly devAddr: string; readonly fCntDown: number };
export type Item = {
  readonly queueId: string;
  readonly device: number;
  readonly content: Required<DownlinkContent>;
  state: "waiting" | "reserving" | "counted" | "offered" | "sent" | "withdrawing";
  counter?: Counter;
  /** On the disk: it may be sent. */
  ready: boolean;
  refusals: number;
};
export type DownlinkEvent = Extract<NetworkEvent, { queueId: string }>;

type Row = {
  readonly queue_id: string;
  readonly ordinal: number;
  readonly device: number;
  readonly content: string;
  readonly state: "waiting" | "counted" | "sent" | "withdrawing";
  readonly session_key_id: string | null;
  readonly dev_addr: string | null;
  readonly f_cnt_down: number | null;
};

export const mostPerDevice = 256;

export class DownlinkQueue {
  readonly #store: Store<HotStatement>;
  readonly #byDevice = new Map<number, Item[]>();
  readonly #byId = new Map<string, Item>();
  #ordinal: number;

  constructor(store: Store<HotStatement>) {
    this.#store = store;
    this.#ordinal = store.read<{ last: number | null }>("SELECT max(ordinal) AS last FROM downlink").get()?.last ?? 0;
    const open = store.read<Row>("SELECT * FROM downlink WHERE state <> 'done' ORDER BY device, ordinal");
    for (const row of open.iterate()) this.#add(itemOf(row));
  }

  /** Open ones of all devices. */
  get size(): number {
    return this.#byId.size;
  }
  devices(): Iterable<number> {
    return this.#byDevice.keys();
  }
  of(device: number): readonly Item[] {
    return this.#byDevice.get(device) ?? [];
  }

  /** Puts downlinks behind the others. They are sent when `ready` says so: after the commit of `ops`. */
  push(device: number, contents: readonly Required<DownlinkContent>[], ops: Ops): Item[] {
    const items = contents.map((content): Item => {
      const queueId = randomUUID();
      return { queueId, device, content, state: "waiting", ready: false, refusals: 0 };
    });
    if (items.length === 0) return items;
    const rows = items.map(({ queueId, content }) => [queueId, ++this.#ordinal, device, JSON.stringify(content)]);
    ops.push({ statement: "queueDownlink", rows });
    for (const item of items) this.#add(item);
    return items;
  }

  /** Takes away all that has not been sent; what the network-server may know of is to be withdrawn from it. */
  clear(device: number, ops: Ops): void {
    for (const item of [...this.of(device)]) {
      if (item.state === "waiting") {
        ops.push({ statement: "dropDownlink", rows: [[item.queueId]] });
        this.remove(item);
      } else if (item.state !== "sent") {
        ops.push({ statement: "markDownlink", rows: [[item.queueId, "withdrawing"]] });
        item.state = "withdrawing";
      }
    }
  }

  /** Removes it from memory; the row is the caller's business. */
  remove(item: Item): void {
    const items = this.#byDevice.get(item.device) ?? [];
    const rest = items.filter((other) => other !== item);
    if (rest.length > 0) this.#byDevice.set(item.device, rest);
    else this.#byDevice.delete(item.device);
    this.#byId.delete(item.queueId);
  }
  forget(device: number): void {
    for (const item of [...this.of(device)]) this.remove(item);
  }

  /** The rows that an event changes. */
  decide(event: DownlinkEvent, position: number, ops: Ops): void {
    if (this.#isLate(event)) return;
    const { is, queueId } = event;
    const awaitsAck = is === "downlink.sent" && this.#byId.get(queueId)?.content.confirmed === true;
    if (awaitsAck) ops.push({ statement: "markDownlink", rows: [[queueId, "sent"]] });
    else if (is === "downlink.invalidated") ops.push({ statement: "uncountDownlink", rows: [[queueId]] });
    else ops.push({ statement: "endDownlink", rows: [[queueId, position]] });
  }

  /** The same in memory, after the commit. */
  apply(event: NetworkEvent): void {
    if (!("queueId" in event)) return;
    const item = this.#byId.get(event.queueId);
    if (item === undefined || this.#isLate(event)) return;
    if (event.is === "downlink.sent" && item.content.confirmed) item.state = "sent";
    else if (event.is !== "downlink.invalidated") this.remove(item);
    else if (item.state !== "withdrawing") item.state = "waiting";
  }

  /** It tells of a counter that the downlink has no more: what was offered under a later one goes on. */
  #isLate({ is, queueId, sessionKeyId, fCntDown }: DownlinkEvent): boolean {
    const item = this.#byId.get(queueId);
    if (item === undefined || (is !== "downlink.invalidated" && is !== "downlink.failed")) return false;
    if (item.state === "waiting" || item.state === "reserving") return true;
    return item.counter?.sessionKeyId !== sessionKeyId || item.counter.fCntDown !== fCntDown;
  }

  /** What was queued under this id, also after it was sent. */
  content(queueId: string): DownlinkContent | undefined {
    const open = this.#byId.get(queueId);
    if (open !== undefined) return open.content;
    const row = this.#store.read<{ content: string }>("SELECT content FROM downlink WHERE queue_id = ?").get(queueId);
    return row === undefined ? undefined : (JSON.parse(row.content) as DownlinkContent);
  }

  #add(item: Item): void {
    const items = this.#byDevice.get(item.device);
    if (items === undefined) this.#byDevice.set(item.device, [item]);
    else items.push(item);
    this.#byId.set(item.queueId, item);
  }
}

function itemOf(row: Row): Item {
  const { session_key_id: sessionKeyId, dev_addr: devAddr, f_cnt_down: fCntDown } = row;
  const counted = sessionKeyId !== null && devAddr !== null && fCntDown !== null;
  return {
    queueId: row.queue_id,
    device: row.device,
    content: JSON.parse(row.content) as Required<DownlinkContent>,
    state: row.state,
    ...(counted ? { counter: { sessionKeyId, devAddr, fCntDown } } : {}),
    ready: true,
    refusals: 0,
  };
}
