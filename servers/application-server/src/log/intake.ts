/**
 * The network-server's batches: each is appended as it came, with the rows that its joins and downlink events change, in one
 * transaction, and answered after it. A batch that comes again is taken once: it has the same number and the same first event.
 */
import { type Limited, method } from "@trefoil/service";
import type { Events, NetworkEvent } from "@trefoil/wire";
import { type DeviceTable, none } from "../devices/device-table.ts";
import type { Ops, SessionBook } from "../devices/session-book.ts";
import type { DownlinkQueue } from "../downlink/queue.ts";
import type { Metrics } from "../metrics.ts";
import type { Entry, EventLog } from "./event-log.ts";
import { EventsSchema } from "./events-schema.ts";
import { tidy } from "./tidy.ts";
import type { Unread } from "./unread.ts";

export type IntakePorts = {
  readonly devices: DeviceTable;
  readonly sessions: SessionBook;
  readonly log: EventLog;
  readonly unread: Unread;
  readonly queue: DownlinkQueue;
  readonly metrics: Metrics;
  readonly say: Limited;
  /** A session came without its key. The row of `wanted` is on the disk. */
  readonly keyWanted: (wanted: { device: number; sessionKeyId: string; joinEui: string }) => void;
  /** A device was heard, or something became of its downlink: its queue may go on. */
  readonly stirred: (device: number) => void;
};

type Joined = {
  readonly device: number;
  readonly sessionKeyId: string;
  readonly joinEui: string;
  readonly hasKey: boolean;
};

export class Intake {
  readonly #ports: IntakePorts;
  #last: number;
  readonly #underWay = new Map<number, Promise<object>>();

  constructor(ports: IntakePorts) {
    this.#ports = ports;
    this.#last = ports.log.lastSequence;
  }

  /** What the network-server may ask. */
  readonly methods = { events: method(EventsSchema, (batch) => this.#tidied(batch as unknown as Events)) };

  #tidied({ sequence, events }: Events): Promise<object> {
    return this.take({ sequence, events: tidy(events) });
  }

  /** Resolves when the batch is on the disk. */
  take(batch: Events): Promise<object> {
    const known = this.#underWay.get(batch.sequence);
    if (known !== undefined) return known;
    if (batch.sequence <= this.#last && this.#ports.log.firstIdOf(batch.sequence) === batch.events[0]?.id) {
      this.#ports.metrics.repeatedBatches.inc();
      return Promise.resolve({});
    }
    this.#last = Math.max(this.#last, batch.sequence);
    const taken = this.#append(batch).finally(() => this.#underWay.delete(batch.sequence));
    this.#underWay.set(batch.sequence, taken);
    return taken;
  }

  async #append({ sequence, events }: Events): Promise<object> {
    const { log, queue } = this.#ports;
    const position = log.next;
    const ops: Ops = [];
    const late: Joined[] = [];
    for (const event of events) this.#decide(event, position, ops, late);
    const entry = await log.append(events, ops, sequence);
    for (const event of events) queue.apply(event);
    for (const joined of late) {
      if (joined.hasKey) await this.#ports.unread.release(joined.device, joined.sessionKeyId);
      else this.#ports.keyWanted(joined);
    }
    this.#stir(entry);
    return {};
  }

  /** What one event changes: in memory now (deciding the same twice changes nothing), in the store with `ops`. */
  #decide(event: NetworkEvent, position: number, ops: Ops, late: Joined[]): void {
    const { devices, sessions, unread, queue, metrics, say } = this.#ports;
    const device = devices.find(event.devEui);
    if (device === none) {
      metrics.events.inc({ is: event.is, outcome: "unknown-device" });
      say.warn({ devEui: event.devEui, is: event.is }, "an event of a device that is not registered here");
      return;
    }
    switch (event.is) {
      case "uplink": {
        const readable = sessions.heard(device, event.sessionKeyId, position, ops);
        if (!readable && event.frmPayload !== "") {
          metrics.events.inc({ is: "uplink", outcome: unread.keep(device, event, ops) });
          say.warn({ devEui: event.devEui }, "an uplink of a session whose key has not come");
        } else metrics.readUplinks.inc();
        return;
      }
      case "join": {
        const { sessionKeyId, appSKey } = event;
        // As it was registered here: the network-server does not choose who is asked for keys.
        const joinEui = devices.joinEui(device) ?? event.joinEui;
        const refused = sessions.join(device, sessionKeyId, appSKey, position, ops);
        const hasKey = appSKey !== undefined;
        metrics.events.inc({ is: "join", outcome: refused ?? (hasKey ? "taken" : "key-wanted") });
        if (refused !== undefined) {
          say.error({ devEui: event.devEui, code: refused }, "the key of a new session cannot be opened");
          return;
        }
        if (!hasKey) ops.push({ statement: "wantKey", rows: [[device, sessionKeyId, joinEui]] });
        late.push({ device, sessionKeyId, joinEui, hasKey });
        return;
      }
      default:
        metrics.events.inc({ is: event.is, outcome: "taken" });
        queue.decide(event, position, ops);
    }
  }

  #stir(entry: Entry): void {
    if (this.#ports.queue.size === 0) return;
    for (const device of entry.devices) if (device !== none) this.#ports.stirred(device);
  }
}
