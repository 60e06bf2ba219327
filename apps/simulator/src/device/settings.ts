/** What the network may change in a device, and the windows that follow from it. */

import type { Rate } from "../radio/modulation.ts";
import type { Region } from "../regions/index.ts";
import { type Channels, initialChannels, rx1Hz } from "./channels.ts";

export type Settings = {
  readonly channels: Channels;
  readonly dr: number;
  readonly txPowerIndex: number;
  readonly nbTrans: number;
  readonly rx1DrOffset: number;
  readonly rx2: { readonly hz: number; readonly dr: number };
  readonly rxDelayS: number;
  /** Of the aggregated duty cycle, 1 / 2^n. */
  readonly maxDutyCycle: number;
  readonly adrAckLimit: number;
  readonly adrAckDelay: number;
};

export function defaultSettings(region: Region, dr: number): Settings {
  return {
    channels: initialChannels(region),
    dr,
    txPowerIndex: 0,
    nbTrans: 1,
    rx1DrOffset: 0,
    rx2: region.rx2,
    rxDelayS: 1,
    maxDutyCycle: 0,
    adrAckLimit: 64,
    adrAckDelay: 32,
  };
}

export type WindowName = "RX1" | "RX2";
export type ReceiveWindow = {
  readonly name: WindowName;
  readonly opensUs: number;
  readonly hz: number;
  readonly rate: Rate;
};

export function rateOf(region: Region, dr: number): Rate {
  const rate = region.rates[dr];
  if (rate === undefined) throw new RangeError(`DR${dr} is not defined in ${region.name}`);
  return rate;
}

const joinAcceptDelayS = 5;

/** The two class A windows after an uplink that ended at `endUs`. TS001-1.0.4 §3.3 */
export function classAWindows(
  region: Region,
  settings: Settings,
  uplink: { endUs: number; channel: number; dr: number; isJoin: boolean },
): readonly [ReceiveWindow, ReceiveWindow] {
  const delayS = uplink.isJoin ? joinAcceptDelayS : settings.rxDelayS;
  const opensUs = uplink.endUs + delayS * 1_000_000;
  const rx1Dr = region.rx1Dr[uplink.dr]?.[settings.rx1DrOffset] ?? region.rx2.dr;
  return [
    { name: "RX1", opensUs, hz: rx1Hz(region, settings.channels, uplink.channel), rate: rateOf(region, rx1Dr) },
    { name: "RX2", opensUs: opensUs + 1_000_000, hz: settings.rx2.hz, rate: rateOf(region, settings.rx2.dr) },
  ];
}
