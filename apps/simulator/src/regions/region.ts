/** What a region is to a device and to a gateway. Facts, no functions. RP002-1.0.4 */
import type { Rate } from "../radio/modulation.ts";

export type ChannelFact = { readonly hz: number; readonly minDr: number; readonly maxDr: number };
export type Region = {
  readonly name: "EU868" | "US915";
  readonly rangeHz: readonly [low: number, high: number];
  /** By DR index; absent = undefined in this region. */
  readonly rates: readonly (Rate | undefined)[];
  /** Largest MACPayload by DR index (no repeater). */
  readonly maxMacPayload: readonly number[];
  /** The channels a device has before it knows anything, by index. */
  readonly channels: readonly ChannelFact[];
  /** `dynamic` regions take frequencies in the CFList and NewChannelReq, `fixed` ones only masks. */
  readonly plan: "dynamic" | "fixed";
  /** Data rates by uplink DR and RX1DROffset. */
  readonly rx1Dr: readonly (readonly number[])[];
  /** Fixed plans answer on these, by uplink channel index mod 8. Dynamic plans answer where they were called. */
  readonly rx1Hz?: readonly number[];
  readonly rx2: { readonly hz: number; readonly dr: number };
  readonly maxEirpDbm: number;
  readonly maxTxPowerIndex: number;
  /** What an ordinary gateway here listens to: eight multi-SF channels and one wide one. */
  readonly gateway: {
    readonly multiHz: readonly number[];
    readonly wide: { readonly hz: number; readonly rate: Rate };
    readonly txRangeHz: readonly [number, number];
  };
};
