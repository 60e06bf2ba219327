/** What this network gives to a device that joins: an address, receive windows, channels. */
import { randomInt } from "node:crypto";
import {
  addedChannels,
  defaultChannelCount,
  devAddrRange,
  encodeCfList,
  encodeDlSettings,
  type NetId,
  type RegionParameters,
  rules,
} from "@trefoil/lorawan";
import type { MacVersion } from "@trefoil/wire";
import type { AddedChannels } from "../sessions/regions.ts";
import type { Sessions } from "../sessions/sessions.ts";

/** An address that no session has, as far as a few tries find one: several devices may share one. */
export function chooseDevAddr(netId: NetId, isTaken: (devAddr: number) => boolean): number {
  const { first, size } = devAddrRange(netId);
  let devAddr = first + randomInt(size);
  for (let tries = 0; tries < 8 && isTaken(devAddr); tries++) devAddr = first + randomInt(size);
  return devAddr;
}

/**
 * Channels beyond the region's own that every join-accept brings, where operators and gateways agree on them by custom: in
 * EU868 the five that the reference configuration of gateways listens to. Elsewhere none.
 */
const customary: { readonly [region: string]: readonly number[] } = {
  EU868: [867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000],
};

export type Settings = {
  /** Octet of the join-accept (TS001-1.0.4 §6.2.5). */
  readonly dlSettings: number;
  readonly rxDelay: number;
  readonly rx1DrOffset: number;
  readonly rx2DataRate: number;
  readonly rx2Hz: number;
  readonly cfList: Uint8Array | undefined;
  /** JSON: what the device's channel set becomes. */
  readonly channels: string;
};

/** `rx2`: the window of the join-accept itself tells where RX2 lies (CN470 depends on the channel of the join). */
export function settingsFor(
  region: RegionParameters,
  macVersion: MacVersion,
  rxDelay: number,
  rx2: { readonly hz: number; readonly dr: number },
): Settings {
  const cfList = encodeCfList(region, customary[region.name] ?? []);
  const optNeg = rules(macVersion).separateNetworkKeys;
  return {
    dlSettings: encodeDlSettings({ optNeg, rx1DrOffset: 0, rx2DataRate: rx2.dr }),
    rxDelay,
    rx1DrOffset: 0,
    rx2DataRate: rx2.dr,
    rx2Hz: rx2.hz,
    cfList,
    channels: asJson(addedChannels(region, cfList)),
  };
}

/**
 * What a session has already, for a device that gets new keys and keeps its radio parameters (rejoin type 2, LoRaWAN 1.1 §6.2.4): said
 * once more in the accept, so that a device that takes it literally changes nothing either.
 */
export function settingsOf(slot: number, sessions: Sessions): Settings {
  const { rxDelay, rx1DrOffset, rx2DataRate, rx2Hz } = sessions.table.columns;
  const kept = {
    rxDelay: rxDelay[slot] as number,
    rx1DrOffset: rx1DrOffset[slot] as number,
    rx2DataRate: rx2DataRate[slot] as number,
    rx2Hz: rx2Hz[slot] as number,
  };
  const channels = sessions.channels(slot);
  return {
    ...kept,
    dlSettings: encodeDlSettings({ optNeg: true, rx1DrOffset: kept.rx1DrOffset, rx2DataRate: kept.rx2DataRate }),
    cfList: cfListOf(sessions.region(slot), channels),
    channels: asJson(channels),
  };
}

const asJson = (channels: AddedChannels) => JSON.stringify(Array.from(channels, (hz) => hz ?? null));

/** The CFList that says exactly these channels; none where no CFList does. */
function cfListOf(region: RegionParameters, channels: AddedChannels): Uint8Array | undefined {
  const listed = channels.slice(defaultChannelCount(region)).filter((hz) => hz !== undefined);
  if (region.cfListType !== 0 || listed.length > 5) return undefined;
  const cfList = encodeCfList(region, listed);
  return asJson(addedChannels(region, cfList)) === asJson(channels) ? cfList : undefined;
}
