/** Events for the application-server. Their ids come from session and counter: the same event has the same id, however often it is made. */
import { airtimeUs, parseDataRate } from "@trefoil/lorawan";
import type { KeyEnvelope, NetworkEvent, Reception, RxMetadata } from "@trefoil/wire";
import type { Sessions } from "./sessions/sessions.ts";
import type { Gateways } from "./uplink/gateways.ts";
import type { Heard } from "./uplink/merge.ts";

export type OfSession = { readonly devEui: string; readonly devAddr: string; readonly sessionKeyId: string };

export function ofSession(sessions: Sessions, slot: number): OfSession {
  const { table } = sessions;
  return {
    devEui: table.devEui(slot),
    devAddr: (table.columns.devAddr[slot] as number).toString(16).padStart(8, "0"),
    sessionKeyId: table.sessionKeyId(slot),
  };
}

/** Also after a rejoin. Without `appSKey` the application-server asks the join-server for it. */
export function joinEvent(
  session: OfSession,
  joinEui: string,
  appSKey: KeyEnvelope | undefined,
  at: number,
): NetworkEvent {
  const key = appSKey === undefined ? {} : { appSKey };
  return { is: "join", id: `j.${session.sessionKeyId}`, ...session, at, joinEui, ...key };
}

export type UplinkFacts = {
  readonly fCntUp: number;
  /** Absent for frames that carry no application payload: FPort 0 stays here. */
  readonly fPort?: number;
  readonly frmPayload: Uint8Array;
  readonly confirmed: boolean;
  /** Octets of the PHYPayload. */
  readonly octets: number;
};

/** `heard`: the best one first. */
export function uplinkEvent<From>(
  session: OfSession,
  facts: UplinkFacts,
  heard: readonly Heard<From>[],
  gateways: Gateways,
): NetworkEvent {
  const { reception: best } = heard[0] as Heard<From>;
  const { frmPayload } = facts;
  return {
    is: "uplink",
    id: `u${facts.fCntUp}.${session.sessionKeyId}`,
    ...session,
    at: best.receivedAt,
    fCntUp: facts.fCntUp,
    ...(facts.fPort === undefined ? {} : { fPort: facts.fPort }),
    frmPayload: Buffer.from(frmPayload.buffer, frmPayload.byteOffset, frmPayload.length).toString("base64"),
    confirmed: facts.confirmed,
    hz: best.hz,
    dataRate: best.dataRate,
    ...(best.codingRate === undefined ? {} : { codingRate: best.codingRate }),
    airtimeMs: airtimeMs(best, facts.octets),
    rxMetadata: heard.map(({ reception }) => rxMetadata(reception, gateways)),
  };
}

/** 0 where it cannot be known: NaN would be `null` in JSON, which the application-server refuses. */
export function airtimeMs(
  { dataRate, codingRate }: Pick<Reception, "dataRate" | "codingRate">,
  octets: number,
): number {
  const rate = parseDataRate(dataRate, codingRate);
  const us = rate ? airtimeUs(rate, octets, codingRate === undefined ? {} : { codingRate }) : 0;
  return Number.isFinite(us) && us > 0 ? us / 1_000 : 0;
}

function rxMetadata(reception: Reception, gateways: Gateways): RxMetadata {
  const { gateway, rssi, snr, channel, antenna, concentratorTime, gpsTimeMs, receivedAt, trust } = reception;
  const location = gateways.get(gateway)?.location;
  return {
    gateway,
    gatewayId: gateways.gatewayId(gateway),
    rssi,
    ...(snr === undefined ? {} : { snr }),
    ...(channel === undefined ? {} : { channel }),
    ...(antenna === undefined ? {} : { antenna }),
    concentratorTime,
    ...(gpsTimeMs === undefined ? {} : { gpsTimeMs }),
    receivedAt,
    trust,
    ...(location === undefined ? {} : { location }),
  };
}

type DownlinkFate = Extract<NetworkEvent, { readonly queueId: string }>;
type Fate = DownlinkFate extends infer E
  ? E extends DownlinkFate
    ? Omit<E, keyof OfSession | "id" | "at">
    : never
  : never;

/** What became of an application downlink. Its counter is never used again, so counter and fate name the event. */
export function downlinkEvent(session: OfSession, fate: Fate, at: number): NetworkEvent {
  return { id: `${fate.is}.${fate.fCntDown}.${session.sessionKeyId}`, ...session, at, ...fate };
}
