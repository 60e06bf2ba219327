/**
 * Brings the head of each device's queue to the network-server: reserve a counter, write down that it belongs to this plaintext,
 * encrypt, offer (platform/wire/src/application-link.ts). Never two plaintexts under one counter: the claim is a
 * compare-and-set in the store, committed before anything is encrypted; what was offered is offered again only as it was.
 */
import { randomUUID } from "node:crypto";
import { cryptFrmPayload } from "@trefoil/lorawan";
import { describeError, Fault, type Limited } from "@trefoil/service";
import type { Store } from "@trefoil/store";
import type { Offer, Offered, Reserve, Reserved, Withdraw, Withdrawn } from "@trefoil/wire";
import type { DeviceTable } from "../devices/device-table.ts";
import type { SessionBook } from "../devices/session-book.ts";
import type { EventLog } from "../log/event-log.ts";
import type { Metrics } from "../metrics.ts";
import type { HotStatement } from "../schema.ts";
import type { Counter, DownlinkQueue, Item } from "./queue.ts";

export type SenderPorts = {
  readonly queue: DownlinkQueue;
  readonly devices: DeviceTable;
  readonly sessions: SessionBook;
  readonly store: Store<HotStatement>;
  readonly log: EventLog;
  readonly metrics: Metrics;
  readonly say: Limited;
  /** Asks the network-server. Undefined while there is no link. */
  readonly ask: () => Ask | undefined;
};
export type Ask = <Answer>(method: string, body: unknown) => Promise<Answer>;

/** Refusals after which another attempt is vain. */
const vain: ReadonlySet<string> = new Set(["downlink/too-long", "downlink/unknown-device", "downlink/invalid"]);
/** Refused offers in a row after which the next event of the device is awaited. */
const mostRefusals = 3;
const retryMs = 5_000;

export class Sender {
  readonly #ports: SenderPorts;
  readonly #busy = new Set<number>();
  readonly #again = new Set<number>();
  #retry: NodeJS.Timeout | undefined;

  constructor(ports: SenderPorts) {
    this.#ports = ports;
  }

  /** There is a link, perhaps anew. */
  advanceAll(): void {
    for (const device of [...this.#ports.queue.devices()]) this.advance(device);
  }

  /** Goes on with a device's queue as far as it can; one attempt at a time. */
  advance(device: number): void {
    if (this.#ports.queue.of(device).length === 0) return;
    if (this.#busy.has(device)) {
      this.#again.add(device);
      return;
    }
    this.#busy.add(device);
    this.#run(device)
      .catch((error) => this.#failed(error))
      .finally(() => {
        this.#busy.delete(device);
        if (this.#again.delete(device)) this.advance(device);
      });
  }

  close(): void {
    clearTimeout(this.#retry);
  }

  async #run(device: number): Promise<void> {
    for (;;) {
      const [head] = this.#ports.queue.of(device);
      const ask = this.#ports.ask();
      if (head === undefined || !head.ready || ask === undefined) return;
      const goOn = await this.#step(head, ask);
      if (!goOn) return;
    }
  }

  /** True when the queue can go on at once. */
  async #step(item: Item, ask: Ask): Promise<boolean> {
    switch (item.state) {
      case "withdrawing":
        return this.#withdraw(item, ask);
      case "waiting":
      case "reserving": {
        item.state = "reserving";
        const reserved = await ask<Reserved>("downlink.reserve", this.#reserve(item));
        return this.#reserved(item, reserved);
      }
      case "counted": {
        const offer = this.#offer(item, item.counter as Counter);
        if (offer === undefined) return this.#uncount(item);
        const offered = await ask<Offered>("downlink.offer", offer);
        return this.#offered(item, offered, ask);
      }
      case "offered":
      case "sent":
        return false;
    }
  }

  #reserve({ device, queueId, content }: Item): Reserve {
    const { fPort, confirmed, frmPayload } = content;
    const size = Buffer.byteLength(frmPayload, "base64");
    return { devEui: this.#ports.devices.devEui(device), queueId, fPort, size, confirmed };
  }

  async #reserved(item: Item, answer: Reserved): Promise<boolean> {
    if (item.state !== "reserving") return true; // It was replaced meanwhile.
    if (answer.result === "refused") {
      item.state = "waiting";
      if (vain.has(answer.code)) return this.#fail(item, answer.code);
      return false; // No session, or busy: the next event of the device tells more.
    }
    const { sessionKeyId, devAddr, fCntDown } = answer;
    if (this.#ports.sessions.schedule(item.device, sessionKeyId) === undefined) {
      item.state = "waiting"; // Its join event is still on the way.
      return false;
    }
    const { changes } = await this.#ports.store.commit([
      { statement: "claimCounter", rows: [[item.device, sessionKeyId, fCntDown]] },
      { statement: "countDownlink", rows: [[item.queueId, sessionKeyId, devAddr, fCntDown]] },
    ]);
    if (item.state !== "reserving") return true;
    if (changes[1]?.[0] !== 1) {
      item.state = "waiting";
      this.#ports.metrics.downlinks.inc({ outcome: "counter-refused" });
      this.#ports.say.error({ fCntDown }, "the network-server gave out a downlink counter that was used before");
      this.#later();
      return false;
    }
    item.counter = { sessionKeyId, devAddr, fCntDown };
    item.state = "counted";
    return true;
  }

  /** The same counter gives the same octets, so an offer may be repeated. */
  #offer(item: Item, { sessionKeyId, devAddr, fCntDown }: Counter): Offer | undefined {
    const key = this.#ports.sessions.schedule(item.device, sessionKeyId);
    if (key === undefined) return undefined;
    const octets = Buffer.from(item.content.frmPayload, "base64");
    cryptFrmPayload(key, "down", Number.parseInt(devAddr, 16), fCntDown, octets, octets);
    const more = this.#ports.queue.of(item.device).length > 1;
    return { ...this.#reserve(item), sessionKeyId, fCntDown, frmPayload: octets.toString("base64"), more };
  }

  async #offered(item: Item, answer: Offered, ask: Ask): Promise<boolean> {
    if (item.state !== "counted") return true;
    if (answer.result === "accepted") {
      item.state = "offered";
      item.refusals = 0;
      this.#ports.metrics.downlinks.inc({ outcome: "offered" });
      return false;
    }
    if (vain.has(answer.code)) return this.#fail(item, answer.code);
    // Perhaps it was accepted before a restart, and sent: only what surely never goes out may get another counter.
    const withdrawn = await this.#askToWithdraw(item.device, [item], ask);
    if (item.state !== "counted") return true;
    if (withdrawn.has(item.queueId)) return this.#uncount(item);
    item.state = "offered"; // Its event is on the way.
    return false;
  }

  /** Its counter stays used; it needs another one. */
  async #uncount(item: Item): Promise<boolean> {
    item.refusals++;
    await this.#ports.store.commit([{ statement: "uncountDownlink", rows: [[item.queueId]] }]);
    if (item.state === "counted") item.state = "waiting";
    return item.refusals <= mostRefusals;
  }

  async #fail(item: Item, code: string): Promise<boolean> {
    const { log, queue, devices, metrics } = this.#ports;
    const devEui = devices.devEui(item.device);
    queue.remove(item);
    metrics.downlinks.inc({ outcome: "failed" });
    const event = { is: "refused", id: randomUUID(), devEui, at: Date.now(), downlink: item.content, code } as const;
    await log.append([event], [{ statement: "endDownlink", rows: [[item.queueId, log.next]] }]);
    return true;
  }

  async #withdraw(item: Item, ask: Ask): Promise<boolean> {
    const { queue, store, log } = this.#ports;
    const items = queue.of(item.device).filter(({ state }) => state === "withdrawing");
    const withdrawn = await this.#askToWithdraw(item.device, items, ask);
    // What could not be withdrawn has been sent: its event is on the way, and needs the row.
    const gone = items.filter(({ queueId }) => withdrawn.has(queueId)).map(({ queueId }) => [queueId]);
    const sent = items.filter(({ queueId }) => !withdrawn.has(queueId)).map(({ queueId }) => [queueId, log.next]);
    await store.commit([
      { statement: "dropDownlink", rows: gone },
      { statement: "endDownlink", rows: sent },
    ]);
    for (const each of items) queue.remove(each);
    return true;
  }

  async #askToWithdraw(device: number, items: readonly Item[], ask: Ask): Promise<ReadonlySet<string>> {
    const devEui = this.#ports.devices.devEui(device);
    const body: Withdraw = { devEui, queueIds: items.map(({ queueId }) => queueId) };
    return new Set((await ask<Withdrawn>("downlink.withdraw", body)).queueIds);
  }

  #failed(error: unknown): void {
    this.#later();
    if (error instanceof Fault) this.#ports.say.warn({ code: error.code }, "a downlink waits for the network-server");
    else this.#ports.say.error({ err: describeError(error) }, "a downlink could not be brought forward");
  }

  #later(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.advanceAll();
    }, retryMs).unref();
  }
}
