/** The subscriptions of one MQTT session, and the one question asked for every event: at which QoS, if at all? */
import { topicKinds } from "../log/events.ts";
import type { Filter } from "./filters.ts";

export type Subscription = Filter & {
  readonly qos: 0 | 1 | 2;
  /** The position in the log when it was made: nothing older is meant. */
  readonly since: number;
};

export const notSubscribed = -1;

export class Subscriptions {
  readonly #byText = new Map<string, Subscription>();
  /** For each topic kind the highest QoS of those that mean all devices. */
  readonly #qos = new Int8Array(topicKinds.length).fill(notSubscribed);
  #narrow: readonly Subscription[] = [];
  /** From here on the summary is enough. */
  #youngest = 0;

  get size(): number {
    return this.#byText.size;
  }
  get texts(): IterableIterator<[string, Subscription]> {
    return this.#byText.entries();
  }
  has(text: string): boolean {
    return this.#byText.has(text);
  }
  get(text: string): Subscription | undefined {
    return this.#byText.get(text);
  }

  set(text: string, subscription: Subscription): void {
    this.#byText.set(text, subscription);
    this.#summarise();
  }
  delete(text: string): boolean {
    const had = this.#byText.delete(text);
    if (had) this.#summarise();
    return had;
  }

  /** The QoS for an event, or `notSubscribed`. `deviceId` is asked for only where a filter names one. */
  qosOf(kind: number, position: number, deviceId: () => string): number {
    if (position < this.#youngest) return this.#slowly(kind, position, deviceId());
    let qos = this.#qos[kind] as number;
    if (this.#narrow.length > 0) qos = Math.max(qos, highest(this.#narrow, kind, deviceId()));
    return qos;
  }

  #slowly(kind: number, position: number, deviceId: string): number {
    return highest(
      [...this.#byText.values()].filter(({ since }) => since <= position),
      kind,
      deviceId,
    );
  }

  #summarise(): void {
    const all = [...this.#byText.values()];
    this.#narrow = all.filter((one) => one.deviceId !== undefined);
    const wide = all.filter((one) => one.deviceId === undefined);
    for (let kind = 0; kind < this.#qos.length; kind++) this.#qos[kind] = highest(wide, kind, "");
    this.#youngest = Math.max(0, ...all.map(({ since }) => since));
  }
}

function highest(subscriptions: readonly Subscription[], kind: number, deviceId: string): number {
  let qos = notSubscribed;
  for (const one of subscriptions) {
    if (((one.kinds >> kind) & 1) === 0 || (one.deviceId !== undefined && one.deviceId !== deviceId)) continue;
    if (one.qos > qos) qos = one.qos;
  }
  return qos;
}
