/** One gateway as this process knows it. What is on the disk is a `Gateway`; the rest is forgotten with the process. */
import type { RegionParameters } from "@trefoil/lorawan";
import type { Gateway, GatewayState } from "@trefoil/wire";
import { Schedule } from "../downlink/schedule.ts";
import { TxAcks } from "../downlink/tx-acks.ts";
import type { Location } from "../semtech/stat.ts";
import { ConcentratorClock } from "./concentrator-clock.ts";

/** Forwarders send PULL_DATA every 10 s; a gateway that is silent for longer than this has gone. */
export const aliveMs = 60_000;

/** Where the last PULL_DATA came from: the way through the gateway's NAT. */
export type PullPath = {
  readonly host: string;
  readonly port: number;
  readonly version: number;
  readonly atMs: number;
};

export type ConnectedGateway = {
  row: Gateway;
  /** False where only `unknownGateways: accept` let it in. */
  registered: boolean;
  /** The address that speaks for this EUI, as long as it is heard. */
  boundTo: string | undefined;
  heardAtMs: number;
  /** Milliseconds since the Unix epoch. */
  lastSeen: number | undefined;
  lastSeenSaved: number | undefined;
  pull: PullPath | undefined;
  /** What the network-server was told last. */
  connected: boolean;
  /** From its own GPS. */
  reported: Location | undefined;
  readonly clock: ConcentratorClock;
  readonly schedule: Schedule;
  readonly txAcks: TxAcks;
};

export const newGateway = (
  row: Gateway,
  registered: boolean,
  region: RegionParameters,
  lastSeen?: number,
): ConnectedGateway => ({
  row,
  registered,
  boundTo: undefined,
  heardAtMs: Number.NEGATIVE_INFINITY,
  lastSeen,
  lastSeenSaved: lastSeen,
  pull: undefined,
  connected: false,
  reported: undefined,
  clock: new ConcentratorClock(),
  schedule: new Schedule(region),
  txAcks: new TxAcks(),
});

/**
 * Nothing in this protocol proves who sends. So the first address that speaks for an EUI keeps it for as long as it is
 * heard, and traffic from elsewhere is refused: at best a gateway whose address changed, at worst somebody else.
 */
export function bind(gateway: ConnectedGateway, host: string, nowMs: number): boolean {
  if (gateway.boundTo !== host) {
    if (nowMs - gateway.heardAtMs < aliveMs) return false;
    gateway.boundTo = host;
    gateway.pull = undefined;
  }
  gateway.heardAtMs = nowMs;
  return true;
}

/** Connected: a downlink would find its way. */
export const pullPath = ({ pull }: ConnectedGateway, nowMs: number): PullPath | undefined =>
  pull && nowMs - pull.atMs < aliveMs ? pull : undefined;

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
