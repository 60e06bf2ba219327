/**
 * The air between devices and gateways. Who hears what is decided here and nowhere else.
 *
 * Uplinks go to every ear (gateway) that can lock on. Downlinks reach a device only through a window that it opened:
 * the preamble must start within `toleranceUs` of the window's instant, on its frequency, modulation and polarity.
 */
import type { Clock, Scheduled } from "./clock.ts";
import { isLora, noiseFloorDbm, type Rate, rateName, sensitivityDbm } from "./modulation.ts";
import { openPark, type Place, type Propagation, pathLossDb } from "./propagation.ts";

export type Emission = {
  readonly from: Place;
  readonly startUs: number;
  readonly endUs: number;
  readonly hz: number;
  readonly rate: Rate;
  /** Downlinks are sent with inverted I/Q, so that devices do not hear each other. */
  readonly inverted: boolean;
  readonly eirpDbm: number;
  readonly octets: Uint8Array;
};
export type Quality = { readonly rssi: number; readonly snr: number };

/** A receiver that is always on. */
export interface Ear {
  readonly place: Place;
  /** A preamble that is strong enough has begun: does a demodulator take it? */
  locks(emission: Emission, quality: Quality): boolean;
  /** What was locked has ended; `quality` is absent when it collided. */
  ended(emission: Emission, quality: Quality | undefined): void;
}

export type Window = {
  readonly at: Place;
  readonly opensUs: number;
  readonly toleranceUs: number;
  readonly hz: number;
  readonly rate: Rate;
};
export type Heard = Quality & { readonly octets: Uint8Array; readonly startUs: number; readonly endUs: number };

/** A wanted signal survives when it is this much stronger than what overlaps it. */
const captureDb = 6;
const channelWidthHz = 5_000;
/** No emission lasts longer than this. */
const memoryUs = 10_000_000;

export class Medium {
  readonly #clock: Clock;
  readonly #propagation: Propagation;
  readonly #ears = new Set<Ear>();
  readonly #taps = new Set<(emission: Emission) => void>();
  readonly #losses = new Map<string, number>();
  #air: Emission[] = [];

  constructor(clock: Clock, propagation: Propagation = openPark) {
    this.#clock = clock;
    this.#propagation = propagation;
  }

  addEar(ear: Ear): () => void {
    this.#ears.add(ear);
    return () => this.#ears.delete(ear);
  }

  /** Sees everything that is sent, as an attacker with a good antenna would. */
  tap(listener: (emission: Emission) => void): () => void {
    this.#taps.add(listener);
    return () => this.#taps.delete(listener);
  }

  /** Puts octets on the air at `startUs`. */
  emit(emission: Emission): Scheduled {
    return this.#clock.at(emission.startUs, () => {
      this.#air = this.#air.filter(({ endUs }) => endUs > emission.startUs - memoryUs);
      this.#air.push(emission);
      for (const tap of this.#taps) tap(emission);
      const locked = [...this.#ears].filter((ear) => {
        if (ear.place.id === emission.from.id) return false;
        const quality = this.#quality(emission, ear.place);
        return quality.rssi >= sensitivityDbm(emission.rate) && ear.locks(emission, quality);
      });
      if (locked.length === 0) return;
      this.#clock.at(emission.endUs, () => {
        for (const ear of locked)
          ear.ended(emission, this.#survives(emission, ear.place) ? this.#quality(emission, ear.place) : undefined);
      });
    });
  }

  /** Listens once. `done` is called when the window closed empty, or when what it caught has ended. */
  listen(window: Window, done: (heard: Heard | undefined) => void): void {
    this.#clock.at(window.opensUs + window.toleranceUs + 1, () => {
      const caught = this.#air
        .filter((emission) => emission.from.id !== window.at.id && this.#isCaught(emission, window))
        .sort((a, b) => this.#quality(b, window.at).rssi - this.#quality(a, window.at).rssi)[0];
      if (caught === undefined) return done(undefined);
      this.#clock.at(caught.endUs, () => {
        if (!this.#survives(caught, window.at)) return done(undefined);
        const { octets, startUs, endUs } = caught;
        done({ ...this.#quality(caught, window.at), octets, startUs, endUs });
      });
    });
  }

  #isCaught(emission: Emission, window: Window): boolean {
    return (
      emission.inverted &&
      Math.abs(emission.startUs - window.opensUs) <= window.toleranceUs &&
      Math.abs(emission.hz - window.hz) <= channelWidthHz &&
      rateName(emission.rate) === rateName(window.rate) &&
      this.#quality(emission, window.at).rssi >= sensitivityDbm(emission.rate)
    );
  }

  #survives(emission: Emission, at: Place): boolean {
    const { rssi } = this.#quality(emission, at);
    return this.#air.every(
      (other) =>
        other === emission ||
        other.endUs <= emission.startUs ||
        other.startUs >= emission.endUs ||
        other.inverted !== emission.inverted ||
        Math.abs(other.hz - emission.hz) > channelWidthHz ||
        rateName(other.rate) !== rateName(emission.rate) ||
        rssi >= this.#quality(other, at).rssi + captureDb,
    );
  }

  #quality(emission: Emission, at: Place): Quality {
    const pair = `${emission.from.id}~${at.id}~${emission.hz}`;
    let loss = this.#losses.get(pair);
    if (loss === undefined) {
      loss = pathLossDb(this.#propagation, emission.from, at, emission.hz);
      this.#losses.set(pair, loss);
    }
    const rssi = emission.eirpDbm - loss;
    const floor = noiseFloorDbm(isLora(emission.rate) ? emission.rate.bwHz : 125_000);
    // A receiver cannot measure more than about 14 dB of signal to noise.
    return { rssi, snr: Math.min(14, rssi - floor) };
  }
}
