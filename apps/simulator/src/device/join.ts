/** Over-the-air activation. TS001-1.0.4 §6.2, TS001-1.1 §6.2 */
import { cmac, encryptBlocks } from "../crypto/aes.ts";
import { jsEncKey, jsIntKey, sessionKeys10, sessionKeys11 } from "../crypto/session-keys.ts";
import {
  decodeJoinAccept,
  encodeJoinRequest,
  encodeRejoinRequest,
  type JoinAccept,
  type RejoinType,
} from "../frames.ts";
import { concat, equal, toWire, uintOctets } from "../octets.ts";
import type { Random } from "../random.ts";
import type { Region } from "../regions/index.ts";
import { withCfList } from "./channels.ts";
import type { Session } from "./session.ts";
import { defaultSettings, type Settings } from "./settings.ts";
import { type MacVersion, rules } from "./versions.ts";

/** `nwkKey` belongs to 1.1 devices only. */
export type RootKeys = { readonly appKey: Uint8Array; readonly nwkKey?: Uint8Array };
export type Identity = {
  readonly devEui: string;
  readonly joinEui: string;
  readonly version: MacVersion;
  readonly keys: RootKeys;
};

/** The root key of join-request and join-accept: NwkKey in 1.1, AppKey before. */
export function joinKey({ version, keys }: Identity): Uint8Array {
  if (!rules[version].splitKeys) return keys.appKey;
  if (keys.nwkKey === undefined) throw new RangeError("a 1.1 device needs a NwkKey");
  return keys.nwkKey;
}

export function joinRequest(identity: Identity, devNonce: number): Uint8Array {
  const message = encodeJoinRequest({ ...identity, devNonce });
  return concat(message, cmac(joinKey(identity), message).subarray(0, 4));
}

/**
 * A rejoin-request: of types 0 and 2 the session's network checks the MIC (SNwkSIntKey), of type 1 the join server (JSIntKey).
 * TS001-1.1 §6.2.4
 */
export function rejoinRequest(
  identity: Identity,
  type: RejoinType,
  { netId = "000000", keys }: Pick<Session, "netId" | "keys">,
  rjCount: number,
): Uint8Array {
  const message = encodeRejoinRequest(type, { ...identity, netId, rjCount });
  const key = type === 1 ? jsIntKey(joinKey(identity), identity.devEui) : keys.sNwkSIntKey;
  return concat(message, cmac(key, message).subarray(0, 4));
}

export type RefusedAccept = "malformed" | "wrong-mic" | "join-nonce-not-rising";
export type Joined = { readonly accept: JoinAccept; readonly session: Session };

/** What the accept answers, and the nonce that stands in MIC and keys: DevNonce, RJcount0 or RJcount1. */
export type Asked = {
  readonly by: "join" | RejoinType;
  readonly nonce: number;
  /** -1 before the first. */
  readonly lastJoinNonce: number;
};

/** Opens the join-accept that came in answer to a join-request, or of a 1.1 device to a rejoin-request. TS001-1.1 §6.2.3 */
export function openJoinAccept(
  identity: Identity,
  phyPayload: Uint8Array,
  { by, nonce, lastJoinNonce }: Asked,
): Joined | { readonly refused: RefusedAccept } {
  if ((phyPayload.length !== 17 && phyPayload.length !== 33) || phyPayload[0] !== 0x20) return { refused: "malformed" };
  const root = joinKey(identity);
  const plain = encryptBlocks(by === "join" ? root : jsEncKey(root, identity.devEui), phyPayload.subarray(1));
  const fields = plain.subarray(0, -4);
  const accept = decodeJoinAccept(fields);
  // Only a join-request may end in a session of 1.0: a rejoin-request is never answered by a network of 1.0.
  const isSplit = rules[identity.version].splitKeys && (accept.optNeg || by !== "join");
  const mhdr = phyPayload.subarray(0, 1);
  const joinReqType = Uint8Array.of(by === "join" ? 0xff : by);
  const mic = isSplit
    ? cmac(
        jsIntKey(root, identity.devEui),
        concat(joinReqType, toWire(identity.joinEui), uintOctets(nonce, 2), mhdr, fields),
      )
    : cmac(root, concat(mhdr, fields));
  if (!equal(mic.subarray(0, 4), plain.subarray(-4))) return { refused: "wrong-mic" };
  if (isSplit && !accept.optNeg) return { refused: "malformed" };
  if (rules[identity.version].devNonceIsCounter && accept.joinNonce <= lastJoinNonce)
    return { refused: "join-nonce-not-rising" };
  const context = { ...accept, devNonce: nonce };
  const keys = isSplit
    ? sessionKeys11({ nwkKey: root, appKey: identity.keys.appKey }, { ...context, joinEui: identity.joinEui })
    : sessionKeys10(root, context);
  return {
    accept,
    session: {
      protocol: isSplit ? "1.1" : "1.0",
      netId: accept.netId,
      devAddr: accept.devAddr,
      keys,
      fCntUp: 0,
      nFCntDown: -1,
      aFCntDown: -1,
      rjCount0: 0,
    },
  };
}

/** What a device does with the accept's fields; a data rate that the region has not is passed over. */
export function settingsAfterJoin(region: Region, settings: Settings, accept: JoinAccept): Settings {
  const { rx1DrOffset, rx2Dr, rxDelay, cfList } = accept;
  return {
    ...settings,
    rx1DrOffset,
    rx2: region.rates[rx2Dr] === undefined ? settings.rx2 : { ...settings.rx2, dr: rx2Dr },
    rxDelayS: rxDelay,
    channels: cfList === undefined ? settings.channels : withCfList(region, settings.channels, cfList),
  };
}

/** The same after a rejoin-request: type 2 leaves all radio parameters as they are. TS001-1.1 §6.2.4 */
export const settingsAfterRejoin = (
  region: Region,
  settings: Settings,
  type: RejoinType,
  accept: JoinAccept,
): Settings => (type === 2 ? settings : settingsAfterJoin(region, defaultSettings(region, settings.dr), accept));

/** Where a rejoin-request goes: types 0 and 1 on a join channel, at the usual data rate. TS001-1.1 §6.2.4.3 */
export function joinChannel(region: Region, dr: number, random: Random): number {
  const open = region.channels.flatMap(({ minDr, maxDr }, index) => (minDr <= dr && dr <= maxDr ? [index] : []));
  return random.pick(open);
}

/** Channel and data rate of the n-th try (from 0): they vary, so that a bad choice does not stay. RP002-1.0.4 §2.4.2, §2.5.2 */
export function joinTry(region: Region, n: number, random: Random): { channel: number; dr: number } {
  if (region.plan === "fixed") {
    return n % 2 === 0 ? { channel: random.int(64), dr: 0 } : { channel: 64 + random.int(8), dr: 4 };
  }
  const first = n === 0 ? random.int(3) : 0;
  return { channel: random.int(region.channels.length), dr: 5 - ((first + n) % 6) };
}
