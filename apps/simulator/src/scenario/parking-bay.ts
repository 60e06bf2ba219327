/** A parking bay: cars come by the hour of the day, stay a while and go. Scenario time is in hours since the start. */
import type { Random } from "../random.ts";
import type { Scenario } from "./scenario.ts";

export type BayReason = "arrival" | "departure" | "heartbeat";
export type BayEvent = { readonly atHours: number; readonly reason: BayReason; readonly occupied: boolean };

/** The life of one bay, without end. */
export function* bayEvents({ startHour, devices, traffic }: Scenario, random: Random): Generator<BayEvent, never> {
  let occupied = random.next() < 0.3;
  let change = nextChange(0, occupied);
  let heartbeat = random.next() * devices.heartbeatHours;
  for (;;) {
    if (heartbeat < change) {
      yield { atHours: heartbeat, reason: "heartbeat", occupied };
      heartbeat += devices.heartbeatHours;
    } else {
      occupied = !occupied;
      yield { atHours: change, reason: occupied ? "arrival" : "departure", occupied };
      change = nextChange(change, occupied);
    }
  }

  function nextChange(now: number, taken: boolean): number {
    const { mean, least } = traffic.stayHours;
    if (taken) return now + Math.max(least, random.exponential(mean));
    // Thinning: draw at the highest rate, keep in proportion to the hour's rate.
    const highest = Math.max(...traffic.arrivalsPerHour, 1e-6);
    for (let at = now; ; ) {
      at += random.exponential(1 / highest);
      const rate = traffic.arrivalsPerHour[Math.floor((startHour + at) % 24)] ?? 0;
      if (random.next() * highest < rate || at > now + 1000) return at;
    }
  }
}

/**
 * The payload, 4 octets: state (bit 0 occupied, bit 1 this is a heartbeat) ‖ battery (0 to 254 of 254) ‖
 * temperature in tenths of a degree Celsius (signed, big-endian).
 */
export function encodeBay({ occupied, reason }: BayEvent, battery: number, celsius: number): Uint8Array {
  const tenths = Math.round(celsius * 10) & 0xffff;
  return Uint8Array.of((occupied ? 1 : 0) | (reason === "heartbeat" ? 2 : 0), battery, tenths >> 8, tenths & 255);
}

export function decodeBay(
  payload: Uint8Array,
): { occupied: boolean; heartbeat: boolean; battery: number; celsius: number } | undefined {
  if (payload.length !== 4) return undefined;
  const [state = 0, battery = 0, high = 0, low = 0] = payload;
  return {
    occupied: (state & 1) !== 0,
    heartbeat: (state & 2) !== 0,
    battery,
    celsius: ((((high << 8) | low) << 16) >> 16) / 10,
  };
}
