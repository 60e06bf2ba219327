/**
 * One MQTT session: a reader of the log with a cursor. What it sends is bounded by its window of unacknowledged messages and by
 * its socket, so a slow client only falls behind; it then reads from the disk what others read from memory.
 */
import type { Entry, EventLog } from "../log/event-log.ts";
import type { Renderer } from "../log/render.ts";
import type { Metrics } from "../metrics.ts";
import { InFlight, type Place } from "./in-flight.ts";
import { encodePublishes, type Publish } from "./publish-packet.ts";
import { notSubscribed, Subscriptions } from "./subscriptions.ts";

/** A connected client's socket: what the session needs of it. */
export type Wire = { write(octets: Buffer): boolean; once(event: "drain", listener: () => void): unknown };
export type SessionPorts = {
  readonly log: EventLog;
  readonly render: Renderer["render"];
  readonly deviceId: (device: number) => string;
  readonly metrics: Metrics;
  /** Its next event had been pruned from the log. */
  readonly fellBehind: (session: MqttSession) => void;
};
export type SessionIdentity = { readonly application: number; readonly clientId: string; readonly isDurable: boolean };

/** Most unacknowledged messages of one client. */
const mostInFlight = 1_024;
/** Most messages in one write, and most batches looked at: then others have their turn. */
const mostPerTurn = 256;
const mostEntriesPerTurn = 64;

export class MqttSession {
  readonly application: number;
  readonly clientId: string;
  readonly isDurable: boolean;
  readonly subscriptions = new Subscriptions();
  readonly #ports: SessionPorts;
  readonly #inFlight = new InFlight(mostInFlight);
  /** The next event to look at. */
  #position: number;
  #event: number;
  /** QoS 0 is for those who are there: from here on. */
  #liveFrom = 0;
  #wire: Wire | undefined;
  #isBlocked = false;
  #isScheduled = false;

  constructor(ports: SessionPorts, { application, clientId, isDurable }: SessionIdentity, start: Place) {
    this.#ports = ports;
    this.application = application;
    this.clientId = clientId;
    this.isDurable = isDurable;
    this.#position = start.position;
    this.#event = start.event;
  }

  get isConnected(): boolean {
    return this.#wire !== undefined;
  }
  /** The first event that the client may not have. */
  get cursor(): Place {
    return this.#inFlight.oldest ?? { position: this.#position, event: this.#event };
  }

  /** The client is there and has its CONNACK. What it had not acknowledged comes first, with its old identifiers (MQTT-4.4.0-1). */
  connect(wire: Wire): void {
    this.#wire = wire;
    this.#isBlocked = false;
    this.#liveFrom = this.#ports.log.end;
    const again: Publish[] = [];
    for (const { position, event, packetId } of this.#inFlight.open()) {
      const entry = this.#ports.log.read(position);
      const message = entry?.position === position ? this.#ports.render(entry, event) : undefined;
      if (message === undefined) this.#inFlight.acknowledge(packetId);
      else again.push({ message, packetId, dup: true });
    }
    this.#ports.metrics.redelivered.inc(again.length);
    this.#send(wire, again);
    this.pump();
  }

  disconnect(): void {
    this.#wire = undefined;
  }

  acknowledge(packetId: number): void {
    if (this.#inFlight.acknowledge(packetId)) this.#schedule();
  }

  /** Sends what can be sent now. */
  pump(): void {
    const wire = this.#wire;
    if (wire === undefined || this.#isBlocked || this.#isScheduled) return;
    const publishes: Publish[] = [];
    let entries = 0;
    while (entries++ < mostEntriesPerTurn) {
      const entry = this.#ports.log.read(this.#position);
      if (entry === undefined) break;
      if (entry.position !== this.#position) this.#skipTo(entry.position);
      if (!this.#collect(entry, publishes)) break;
      this.#position = entry.position + 1;
      this.#event = 0;
      this.#ports.metrics.latency.observe((Date.now() - entry.at) / 1000);
    }
    this.#send(wire, publishes);
    if (publishes.length >= mostPerTurn || entries > mostEntriesPerTurn) this.#schedule();
  }

  /** True when the whole entry is dealt with. */
  #collect(entry: Entry, publishes: Publish[]): boolean {
    const { applications, devices, kinds, events } = entry;
    for (let i = this.#event; i < events.length; i++) {
      if (applications[i] !== this.application || (kinds[i] as number) < 0) continue;
      const qos = this.subscriptions.qosOf(kinds[i] as number, entry.position, () =>
        this.#ports.deviceId(devices[i] as number),
      );
      if (qos === notSubscribed || (qos === 0 && entry.position < this.#liveFrom)) continue;
      if (publishes.length >= mostPerTurn || (qos > 0 && this.#inFlight.isFull)) {
        this.#event = i;
        return false;
      }
      const message = this.#ports.render(entry, i);
      if (message === undefined) continue;
      publishes.push({ message, packetId: qos === 0 ? 0 : this.#inFlight.add(entry.position, i), dup: false });
    }
    return true;
  }

  #send(wire: Wire, publishes: readonly Publish[]): void {
    if (publishes.length === 0) return;
    let withAcknowledgement = 0;
    for (const { packetId } of publishes) if (packetId !== 0) withAcknowledgement++;
    const { published } = this.#ports.metrics;
    if (withAcknowledgement > 0) published.inc({ qos: "1" }, withAcknowledgement);
    if (publishes.length > withAcknowledgement) published.inc({ qos: "0" }, publishes.length - withAcknowledgement);
    if (wire.write(encodePublishes(publishes))) return;
    this.#isBlocked = true;
    wire.once("drain", () => {
      if (this.#wire !== wire) return;
      this.#isBlocked = false;
      this.pump();
    });
  }

  /** Holes are batches that could not be committed; what is older than the log is lost to this session. */
  #skipTo(position: number): void {
    if (this.#position < this.#ports.log.oldest && this.isDurable) this.#ports.fellBehind(this);
    this.#position = position;
    this.#event = 0;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.pump();
    });
  }
}
