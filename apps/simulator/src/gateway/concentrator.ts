/** The radio part of a gateway: eight demodulators, one transmitter, deaf while it sends, and a 32-bit microsecond counter. */
import type { Clock } from "../radio/clock.ts";
import type { Ear, Emission, Medium, Quality } from "../radio/medium.ts";
import { isLora, rateName } from "../radio/modulation.ts";
import type { Place } from "../radio/propagation.ts";
import type { Region } from "../regions/index.ts";
import type { Reception, TxPacket } from "./semtech.ts";

const demodulators = 8;
const channelWidthHz = 5_000;

export class Concentrator implements Ear {
  readonly place: Place;
  readonly #clock: Clock;
  readonly #medium: Medium;
  readonly #region: Region;
  readonly #offset: number;
  readonly #received: (reception: Reception) => void;
  #locked = new Set<Emission>();
  #sendingUntil = Number.NEGATIVE_INFINITY;

  /** `counterAt0` is what the counter shows at the world's time 0: a random one meets the wrap sooner or later. */
  constructor(options: {
    place: Place;
    clock: Clock;
    medium: Medium;
    region: Region;
    counterAt0: number;
    received: (reception: Reception) => void;
  }) {
    this.place = options.place;
    this.#clock = options.clock;
    this.#medium = options.medium;
    this.#region = options.region;
    this.#offset = options.counterAt0;
    this.#received = options.received;
  }

  counter(us = this.#clock.now()): number {
    return Math.floor((us + this.#offset) % 2 ** 32);
  }

  /** Sends when the counter shows `tmst`, exactly. `begun` is called then. */
  sendAt(tmst: number, packet: TxPacket, begun: () => void): void {
    const now = this.#clock.now();
    const startUs = now + ((tmst - this.counter(now)) >>> 0);
    this.#clock.at(startUs, () => {
      begun();
      const endUs = startUs + packet.airtimeUs;
      this.#sendingUntil = endUs;
      // Half-duplex: what was being received is lost.
      this.#locked.clear();
      const { hz, rate, inverted, octets, powerDbm } = packet;
      this.#medium.emit({ from: this.place, startUs, endUs, hz, rate, inverted, eirpDbm: powerDbm, octets });
    });
  }

  locks(emission: Emission): boolean {
    const isHeard = !emission.inverted && this.#channelOf(emission) !== undefined;
    if (!isHeard || this.#sendingUntil > emission.startUs || this.#locked.size >= demodulators) return false;
    this.#locked.add(emission);
    return true;
  }

  ended(emission: Emission, quality: Quality | undefined): void {
    const channel = this.#channelOf(emission);
    if (!this.#locked.delete(emission) || quality === undefined || channel === undefined) return;
    const { hz, rate, octets } = emission;
    this.#received({ tmst: this.counter(emission.endUs), channel, hz, rate, octets, ...quality });
  }

  #channelOf({ hz, rate }: Emission): number | undefined {
    const { multiHz, wide } = this.#region.gateway;
    const near = (other: number) => Math.abs(other - hz) <= channelWidthHz;
    if (isLora(rate) && rate.bwHz === 125_000 && rate.sf >= 7) {
      const index = multiHz.findIndex(near);
      return index === -1 ? undefined : index;
    }
    if (rateName(rate) === rateName(wide.rate) && near(wide.hz)) return 8;
    return isLora(rate) ? undefined : 9;
  }
}
