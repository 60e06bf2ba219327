/**
 * What one gateway is going to transmit. It has one transmitter, so no two transmissions overlap; the packet forwarder
 * adds a gap before each (jitqueue: 1.5 ms start, up to 40 ms to program it, 1 ms margin) and refuses what comes later
 * than that. Times are the gateway's extended concentrator time in microseconds.
 */
import { mayTransmitAt, type RegionParameters } from "@trefoil/lorawan";
import type { Priority } from "@trefoil/wire";
import { DutyCycle } from "./duty-cycle.ts";

/** Between the end of a transmission and the start of the next. */
export const gapUs = 43_000;
/** The forwarder's gap, and the way to it. */
export const latestLeadUs = 60_000;
/** Forwarders take 512 s; nothing in LoRaWAN needs to be planned that early. */
export const earliestLeadUs = 128_000_000;
/** A forwarder's queue. */
const mostWaiting = 32;

export type Wanted = {
  readonly startUs: number;
  readonly airtimeUs: number;
  readonly hz: number;
  readonly priority: Priority;
};
export type ScheduleRefusal =
  | "schedule/too-late"
  | "schedule/too-early"
  | "schedule/frequency"
  | "schedule/conflict"
  | "schedule/duty-cycle";
export type Booking = { readonly startUs: number; readonly endUs: number; readonly release: () => void };

export class Schedule {
  readonly #region: RegionParameters;
  readonly #dutyCycle = new DutyCycle();
  #bookings: Booking[] = [];

  constructor(region: RegionParameters) {
    this.#region = region;
  }

  /** Books a transmission, or says why not. `concentratorUs` and `nowMs` are the present by the gateway's and by our clock. */
  book(wanted: Wanted, concentratorUs: number, nowMs: number): Booking | ScheduleRefusal {
    const { startUs, airtimeUs, hz, priority } = wanted;
    const lead = startUs - concentratorUs;
    if (!(lead >= latestLeadUs)) return "schedule/too-late";
    if (lead > earliestLeadUs) return "schedule/too-early";
    if (!mayTransmitAt(this.#region, hz)) return "schedule/frequency";
    this.#bookings = this.#bookings.filter(({ endUs }) => endUs + gapUs > concentratorUs);
    const endUs = startUs + airtimeUs;
    const collides = (other: Booking) => startUs < other.endUs + gapUs && other.startUs < endUs + gapUs;
    if (this.#bookings.length >= mostWaiting || this.#bookings.some(collides)) return "schedule/conflict";
    const airtimeMs = airtimeUs / 1000;
    if (!this.#dutyCycle.allows(this.#region, hz, airtimeMs, priority, nowMs)) return "schedule/duty-cycle";
    const giveBack = this.#dutyCycle.spend(this.#region, hz, airtimeMs, nowMs);
    const booking: Booking = {
      startUs,
      endUs,
      release: () => {
        giveBack();
        this.#bookings = this.#bookings.filter((other) => other !== booking);
      },
    };
    this.#bookings.push(booking);
    return booking;
  }
}
