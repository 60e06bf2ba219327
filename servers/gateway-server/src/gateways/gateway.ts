/** One gateway as this process knows it. What is on the disk is a `Gateway`; the rest is forgotten with the process. */
import type { RegionParameters } from "@trefoil/lorawan";
import type { Gateway, GatewayState } from "@trefoil/wire";
import { Schedule } from "../downlink/schedule.ts";
import { TransmitPower } from "../downlink/transmit-power.ts";
import { TxAcks } from "../downlink/tx-acks.ts";
import type { Location } from "../semtech/stat.ts";
import { ConcentratorClock } from "./concentrator-clock.ts";

/** Forwarders send PULL_DATA every 10 s; a gateway that is silent for longer than this has gone. */
export const aliveMs = 60_000;

/** An address that speaks for a gateway, and when it last did. */
export type Heard = { readonly host: string; readonly atMs: number };
/** Where the last PULL_DATA came from: the way through the gateway's NAT. */
export type PullPath = Heard & { readonly port: number; readonly version: number };

export type ConnectedGateway = {
  row: Gateway;
  /** False where only `unknownGateways: accept` let it in. */
  registered: boolean;
  /** Milliseconds since the Unix epoch. */
  lastSeen: number | undefined;
  lastSeenSaved: number | undefined;
  /** Forwarders have a socket for each direction, and a NAT may give each an address of its own: they are bound apart. */
  push: Heard | undefined;
  pull: PullPath | undefined;
  /** What the network-server was told last. */
  connected: boolean;
  /** From its own GPS. */
  reported: Location | undefined;
  readonly clock: ConcentratorClock;
  readonly schedule: Schedule;
  readonly txAcks: TxAcks;
  readonly power: TransmitPower;
};

export const newGateway = (
  row: Gateway,
  registered: boolean,
  region: RegionParameters,
  lastSeen?: number,
): ConnectedGateway => ({
  row,
  registered,
  lastSeen,
  lastSeenSaved: lastSeen,
  push: undefined,
  pull: undefined,
  connected: false,
  reported: undefined,
  clock: new ConcentratorClock(),
  schedule: new Schedule(region),
  txAcks: new TxAcks(),
  power: new TransmitPower(),
});

const isAlive = (heard: Heard, nowMs: number): boolean => nowMs - heard.atMs < aliveMs;

/**
 * Nothing in this protocol proves who sends. So the first address that speaks for an EUI keeps it for as long as it is
 * heard, and traffic from elsewhere is refused: at best a gateway whose address changed, at worst somebody else.
 */
export const isElsewhere = (bound: Heard | undefined, host: string, nowMs: number): boolean =>
  bound !== undefined && bound.host !== host && isAlive(bound, nowMs);

/** Silent in both directions. */
export const isSilent = ({ push, pull }: ConnectedGateway, nowMs: number): boolean =>
  !(push && isAlive(push, nowMs)) && !(pull && isAlive(pull, nowMs));

/** Connected: a downlink would find its way. */
export const pullPath = ({ pull }: ConnectedGateway, nowMs: number): PullPath | undefined =>
  pull && isAlive(pull, nowMs) ? pull : undefined;

/** The operator's word about the place counts more than the gateway's. */
export function stateOf({ row, connected, reported }: ConnectedGateway): GatewayState {
  const location = row.location ?? reported;
  return {
    gateway: row.eui,
    gatewayId: row.gatewayId,
    connected,
    trust: "none",
    ...(location ? { location } : {}),
  };
}
