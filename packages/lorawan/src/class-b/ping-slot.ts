/**
 * When a class B device listens: 2^(7 - periodicity) slots of 30 ms after each beacon, at an offset that changes with
 * the beacon. The offset is made with a key of zeros: whoever knows the DevAddr knows the slots.
 *
 * Spec: TS001-1.0.4 §12.2 to §12.4
 */
import { KeySchedule } from "../crypto/key-schedule.ts";
import { beaconReservedMs, pingSlotMs } from "../regions/class-b.ts";

/** Periodicity 0 to 7, as in PingSlotInfoReq. */
export const pingNb = (periodicity: number): number => 2 ** (7 - periodicity);
/** In slots. */
export const pingPeriod = (periodicity: number): number => 2 ** (5 + periodicity);

const zeroKey = new KeySchedule(new Uint8Array(16));

/** First slot after the beacon sent at `beaconTime` (seconds since the GPS epoch, modulo 2^32). `period` in slots. */
export function pingOffset(beaconTime: number, devAddr: number, period: number): number {
  const block = new Uint8Array(16);
  for (let i = 0; i < 4; i++) {
    block[i] = beaconTime >>> (8 * i);
    block[4 + i] = devAddr >>> (8 * i);
  }
  zeroKey.encryptBlock(block, 0, block, 0);
  return ((block[0] ?? 0) + 256 * (block[1] ?? 0)) % period;
}

/** The device's slots of one beacon period, in milliseconds after the beacon's start. */
export function pingSlotsMs(beaconTime: number, devAddr: number, periodicity: number): number[] {
  const period = pingPeriod(periodicity);
  const offset = pingOffset(beaconTime, devAddr, period);
  return Array.from({ length: pingNb(periodicity) }, (_, n) => beaconReservedMs + (offset + n * period) * pingSlotMs);
}
