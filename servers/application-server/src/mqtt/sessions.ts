/**
 * All MQTT sessions. Those with CleanSession 0 live on while their client is away, and across restarts: their subscriptions are
 * committed before the SUBACK, their cursors in groups a little later, so that a restart repeats some messages and loses none.
 */
import type { Op, Store } from "@trefoil/store";
import type { HotStatement } from "../schema.ts";
import { parseFilter } from "./filters.ts";
import type { Place } from "./in-flight.ts";
import { MqttSession, type SessionPorts, type Wire } from "./session.ts";

export type Asked = { readonly topic: string; readonly qos: 0 | 1 | 2 };
export type SessionsPorts = SessionPorts & {
  readonly applicationId: (application: number) => string | undefined;
  /** One session could not read; the others went on. */
  readonly failed: (error: unknown) => void;
};

/** Bounds what one application can leave behind. */
const mostDurable = 1_000;

type Held = { readonly session: MqttSession; row: number | undefined; stored: Place };
type SessionRow = {
  readonly mqtt_session: number;
  readonly application: number;
  readonly client_id: string;
  readonly position: number;
  readonly event: number;
};
type SubscriptionRow = {
  readonly mqtt_session: number;
  readonly filter: string;
  readonly qos: 0 | 1 | 2;
  readonly since: number;
};

/** Client ids are each application's own: one cannot take over another's sessions. */
export const sessionKey = (application: number, clientId: string): string => `${application}/${clientId}`;
export function parseSessionKey(key: string): { application: number; clientId: string } {
  const slash = key.indexOf("/");
  return { application: Number(key.slice(0, slash)), clientId: key.slice(slash + 1) };
}

export class MqttSessions {
  readonly #ports: SessionsPorts;
  readonly #store: Store<HotStatement>;
  readonly #held = new Map<string, Held>();
  #lastRow = 0;

  constructor(ports: SessionsPorts, store: Store<HotStatement>) {
    this.#ports = ports;
    this.#store = store;
    const byRow = new Map<number, Held>();
    for (const row of store.read<SessionRow>("SELECT * FROM mqtt_session").all()) {
      const place = { position: row.position, event: row.event };
      const held = this.#make(row.application, row.client_id, true, place, row.mqtt_session);
      byRow.set(row.mqtt_session, held);
      this.#lastRow = Math.max(this.#lastRow, row.mqtt_session);
    }
    for (const { mqtt_session, filter, qos, since } of store
      .read<SubscriptionRow>("SELECT * FROM mqtt_subscription")
      .all()) {
      const held = byRow.get(mqtt_session);
      if (held !== undefined) this.#set(held.session, filter, qos, since);
    }
  }

  all(): Iterable<MqttSession> {
    return [...this.#held.values()].map(({ session }) => session);
  }

  /** New events are in the log. */
  pump(): void {
    for (const { session } of this.#held.values()) {
      try {
        session.pump();
      } catch (error) {
        this.#ports.failed(error);
      }
    }
  }

  /** Filters of a session that is there already: none for a new one. */
  subscriptionsOf(key: string): Asked[] {
    const held = this.#held.get(key);
    return held?.row === undefined
      ? []
      : [...held.session.subscriptions.texts].map(([topic, { qos }]) => ({ topic, qos }));
  }

  /** A client with a clean session begins anew: whatever was left of a former one is gone. */
  async discard(key: string): Promise<void> {
    const held = this.#held.get(key);
    this.#held.delete(key);
    if (held?.row === undefined) return;
    await this.#store.commit(deletion(held.row));
  }

  connect(key: string, isDurable: boolean, wire: Wire): void {
    this.#hold(key, isDurable).session.connect(wire);
  }

  disconnect(key: string): void {
    const held = this.#held.get(key);
    held?.session.disconnect();
    if (held?.row === undefined) this.#held.delete(key);
  }

  acknowledge(key: string, packetId: number): void {
    this.#held.get(key)?.session.acknowledge(packetId);
  }

  /** Resolves when a durable session's subscriptions are on the disk. Filters that are not allowed are passed over. */
  async subscribe(key: string, isDurable: boolean, asked: readonly Asked[]): Promise<void> {
    const held = this.#hold(key, isDurable);
    const { session } = held;
    const since = this.#ports.log.end;
    const ops: Op<HotStatement>[] = [];
    const isNew = isDurable && held.row === undefined;
    if (isNew) {
      if (this.#durableOf(session.application) >= mostDurable) throw new RangeError("too many durable sessions");
      held.row = ++this.#lastRow;
      const { position, event } = session.cursor;
      const row = [held.row, session.application, session.clientId, position, event];
      ops.push({ statement: "insertMqttSession", rows: [row] });
    }
    const made: string[] = [];
    for (const { topic, qos } of asked) {
      const known = session.subscriptions.get(topic);
      const from = known?.since ?? since;
      if (known?.qos === qos || !this.#set(session, topic, qos, from)) continue;
      made.push(topic);
      if (isDurable) ops.push({ statement: "subscribe", rows: [[held.row as number, topic, qos, from]] });
    }
    try {
      if (ops.length > 0) await this.#store.commit(ops);
    } catch (error) {
      for (const topic of made) session.subscriptions.delete(topic);
      if (isNew) held.row = undefined;
      throw error;
    }
    session.pump();
  }

  async unsubscribe(key: string, topics: readonly string[]): Promise<void> {
    const held = this.#held.get(key);
    if (held === undefined) return;
    const gone = topics.filter((topic) => held.session.subscriptions.delete(topic));
    const { row } = held;
    if (row === undefined || gone.length === 0) return;
    await this.#store.commit([{ statement: "unsubscribe", rows: gone.map((topic) => [row, topic]) }]);
  }

  /** Writes the cursors that have moved. */
  async writeCursors(): Promise<void> {
    const rows: [number, number, number][] = [];
    for (const held of this.#held.values()) {
      if (held.row === undefined) continue;
      const { position, event } = held.session.cursor;
      if (position === held.stored.position && event === held.stored.event) continue;
      held.stored = { position, event };
      rows.push([held.row, position, event]);
    }
    if (rows.length > 0) await this.#store.commit([{ statement: "moveCursor", rows }]);
  }

  /** The rows of all sessions of an application that is being deleted; forgets them. */
  forgetApplication(application: number): Op<HotStatement>[] {
    const ops: Op<HotStatement>[] = [];
    for (const [key, { session, row }] of this.#held) {
      if (session.application !== application) continue;
      this.#held.delete(key);
      if (row !== undefined) ops.push(...deletion(row));
    }
    return ops;
  }

  #hold(key: string, isDurable: boolean): Held {
    const known = this.#held.get(key);
    if (known !== undefined) return known;
    const { application, clientId } = parseSessionKey(key);
    return this.#make(application, clientId, isDurable, { position: this.#ports.log.end, event: 0 }, undefined);
  }

  #make(application: number, clientId: string, isDurable: boolean, start: Place, row: number | undefined): Held {
    const session = new MqttSession(this.#ports, { application, clientId, isDurable }, start);
    const held: Held = { session, row, stored: start };
    this.#held.set(sessionKey(application, clientId), held);
    return held;
  }

  #set(session: MqttSession, topic: string, qos: 0 | 1 | 2, since: number): boolean {
    const applicationId = this.#ports.applicationId(session.application);
    const filter = applicationId === undefined ? undefined : parseFilter(applicationId, topic);
    if (filter !== undefined) session.subscriptions.set(topic, { ...filter, qos, since });
    return filter !== undefined;
  }

  #durableOf(application: number): number {
    let count = 0;
    for (const { session, row } of this.#held.values())
      if (row !== undefined && session.application === application) count++;
    return count;
  }
}

const deletion = (row: number): Op<HotStatement>[] => [
  { statement: "deleteMqttSession", rows: [[row]] },
  { statement: "unsubscribeAll", rows: [[row]] },
];
