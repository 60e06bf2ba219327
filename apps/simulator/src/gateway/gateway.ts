/** A gateway: a concentrator, and a packet forwarder that speaks Semtech UDP version 2 with a server. */
import { createSocket, type Socket } from "node:dgram";
import { fromHex } from "../octets.ts";
import type { Clock, Scheduled } from "../radio/clock.ts";
import type { Medium } from "../radio/medium.ts";
import type { Place } from "../radio/propagation.ts";
import type { Random } from "../random.ts";
import type { Region } from "../regions/index.ts";
import { Concentrator } from "./concentrator.ts";
import { JitQueue, type JitRefusal } from "./jit.ts";
import { datagramType, decodeDatagram, encodeDatagram, encodeRxpk, type Reception, type TxPacket } from "./semtech.ts";

export type TxError = JitRefusal | "TX_FREQ" | "TX_POWER" | "GPS_UNLOCKED";
export type GatewayEvent =
  | { readonly is: "connected" }
  | { readonly is: "received"; readonly reception: Reception }
  | { readonly is: "sent"; readonly packet: TxPacket }
  | { readonly is: "refused"; readonly error: TxError; readonly packet: TxPacket; readonly counter: number }
  | { readonly is: "malformed" };

export type GatewayOptions = {
  readonly eui: string;
  readonly position: Place["position"];
  readonly region: Region;
  readonly clock: Clock;
  readonly medium: Medium;
  readonly random: Random;
  readonly server: { readonly host: string; readonly port: number };
  /** Default: random, so that wraps are met. */
  readonly counterAt0?: number;
  readonly keepAliveMs?: number;
};
export type GatewayCounts = {
  received: number;
  pushed: number;
  acknowledged: number;
  downlinks: number;
  sent: number;
  refused: number;
};

/** Powers of an ordinary gateway's table, dBm. One in between becomes the next lower, with a warning, as sx1302 forwarders do. */
const powers = [-6, -3, 0, 3, 6, 10, 11, 12, 13, 14, 16, 20, 23, 25, 26, 27];
const statEveryMs = 30_000;

export class Gateway {
  readonly eui: string;
  readonly counts: GatewayCounts = { received: 0, pushed: 0, acknowledged: 0, downlinks: 0, sent: 0, refused: 0 };
  readonly #options: GatewayOptions;
  readonly #wireEui: Uint8Array;
  readonly #socket: Socket = createSocket("udp4");
  readonly #jit = new JitQueue<TxPacket>();
  readonly #concentrator: Concentrator;
  readonly #listeners = new Set<(event: GatewayEvent) => void>();
  #leaveAir: () => void = () => undefined;
  #timers: Scheduled[] = [];
  #token = 0;
  #connected = false;
  #closed = false;

  constructor(options: GatewayOptions) {
    const { eui, clock, medium, region, position, random, counterAt0 = random.int(2 ** 32) } = options;
    this.eui = eui;
    this.#options = options;
    this.#wireEui = fromHex(eui);
    this.#token = random.int(65536);
    const place = { id: eui, position };
    this.#concentrator = new Concentrator({
      place,
      clock,
      medium,
      region,
      counterAt0,
      received: (reception) => this.#push(reception),
    });
  }

  on(listener: (event: GatewayEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Opens a local port of the system's choice, listens to the air and says hello to the server. */
  async start(): Promise<void> {
    this.#socket.on("message", (datagram) => this.#hear(datagram));
    // A server that is not there (yet) is no reason to end: a gateway goes on calling.
    this.#socket.on("error", () => undefined);
    await new Promise<void>((resolve) =>
      this.#socket.bind(0, isLoopback(this.#options.server.host) ? "127.0.0.1" : "0.0.0.0", resolve),
    );
    this.#leaveAir = this.#options.medium.addEar(this.#concentrator);
    this.#every(this.#options.keepAliveMs ?? 5_000, () =>
      this.#send(encodeDatagram(datagramType.pullData, this.#nextToken(), this.#wireEui)),
    );
    this.#every(statEveryMs, () => this.#stat());
  }

  /** Waits for the first PULL_ACK; false when none came in time. */
  async connectedWithin(ms: number): Promise<boolean> {
    for (let left = ms; left > 0 && !this.#connected && !this.#closed; left -= 20)
      await new Promise((resolve) => setTimeout(resolve, 20));
    return this.#connected;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#leaveAir();
    for (const timer of this.#timers) timer.cancel();
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  /** Reports a frame as if it had just been heard: how an attacker with a gateway speaks. */
  inject(octets: Uint8Array, heard: Partial<Omit<Reception, "octets">> = {}): void {
    const { region } = this.#options;
    const rate = region.rates[region.plan === "dynamic" ? 5 : 3] as Reception["rate"];
    const hz = region.gateway.multiHz[0] as number;
    this.#push({ tmst: this.#concentrator.counter(), channel: 0, hz, rate, rssi: -60, snr: 9, ...heard, octets });
  }

  /** Any octets at all to the server, from this gateway's address. */
  sendRaw(datagram: Uint8Array): void {
    this.#send(datagram);
  }

  #tell(event: GatewayEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #every(ms: number, run: () => void): void {
    const { clock } = this.#options;
    const slot = this.#timers.length;
    const tick = () => {
      if (this.#closed) return;
      run();
      this.#timers[slot] = clock.at(clock.now() + ms * 1000, tick);
    };
    this.#timers[slot] = clock.at(clock.now(), tick);
  }

  #nextToken(): number {
    this.#token = (this.#token + 1) % 65536;
    return this.#token;
  }

  #send(datagram: Uint8Array): void {
    const { host, port } = this.#options.server;
    if (!this.#closed) this.#socket.send(datagram, port, host);
  }

  #push(reception: Reception): void {
    this.counts.received++;
    this.#tell({ is: "received", reception });
    this.counts.pushed++;
    this.#send(
      encodeDatagram(datagramType.pushData, this.#nextToken(), this.#wireEui, { rxpk: [encodeRxpk(reception)] }),
    );
  }

  #stat(): void {
    const { received, pushed, acknowledged, downlinks, sent } = this.counts;
    const time = new Date().toISOString().replace("T", " ").replace(/\..*$/, " GMT");
    const ackr = pushed === 0 ? 100 : Math.round((1000 * acknowledged) / pushed) / 10;
    const stat = { time, rxnb: received, rxok: received, rxfw: pushed, ackr, dwnb: downlinks, txnb: sent };
    this.#send(encodeDatagram(datagramType.pushData, this.#nextToken(), this.#wireEui, { stat }));
  }

  #hear(datagram: Uint8Array): void {
    const message = decodeDatagram(datagram);
    if (message.is === "push-ack") this.counts.acknowledged++;
    else if (message.is === "malformed") this.#tell({ is: "malformed" });
    else if (message.is === "pull-resp") this.#plan(message.token, message.packet);
    else if (!this.#connected) {
      this.#connected = true;
      this.#tell({ is: "connected" });
    }
  }

  #plan(token: number, asked: TxPacket): void {
    this.counts.downlinks++;
    const powerDbm = powers.findLast((power) => power <= asked.powerDbm);
    const packet = { ...asked, powerDbm: powerDbm ?? asked.powerDbm };
    const planned = this.#unable(asked, powerDbm) ?? this.#jit.add(this.#concentrator.counter(), { ...asked, packet });
    if (typeof planned === "string") {
      this.#refuse(token, planned, packet);
      return;
    }
    const warning = powerDbm === asked.powerDbm ? undefined : { txpk_ack: { warn: "TX_POWER", value: powerDbm } };
    this.#send(encodeDatagram(datagramType.txAck, token, this.#wireEui, warning));
    this.#concentrator.sendAt(planned.tmst, packet, () => {
      this.#jit.remove(planned);
      if (this.#closed) return;
      this.counts.sent++;
      this.#tell({ is: "sent", packet });
    });
  }

  #unable(asked: TxPacket, powerDbm: number | undefined): TxError | undefined {
    const [low, high] = this.#options.region.gateway.txRangeHz;
    if (asked.needsGps) return "GPS_UNLOCKED";
    if (asked.hz < low || asked.hz > high) return "TX_FREQ";
    return powerDbm === undefined ? "TX_POWER" : undefined;
  }

  #refuse(token: number, error: TxError, packet: TxPacket): void {
    this.counts.refused++;
    this.#send(encodeDatagram(datagramType.txAck, token, this.#wireEui, { txpk_ack: { error } }));
    this.#tell({ is: "refused", error, packet, counter: this.#concentrator.counter() });
  }
}

const isLoopback = (host: string) => host === "localhost" || host.startsWith("127.");
