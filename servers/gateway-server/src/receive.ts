/**
 * What becomes of a datagram: every one ends in exactly one counted outcome, whoever sent it, and none ends the process.
 * The cheap questions come first: header, gateway, address. Only then is JSON parsed.
 */
import type { Limited } from "@trefoil/service";
import type { Reception } from "@trefoil/wire";
import { type ConnectedGateway, isElsewhere } from "./gateways/gateway.ts";
import type { GatewayTable } from "./gateways/gateway-table.ts";
import {
  type DatagramRefusal,
  decodeDatagram,
  encodeAck,
  euiOf,
  type GatewayDatagram,
  readJson,
} from "./semtech/datagram.ts";
import { type Rxpk, type RxpkRefusal, readRxpk } from "./semtech/rxpk.ts";
import { hasMoved, readStat } from "./semtech/stat.ts";
import { readTxAck } from "./semtech/tx-ack.ts";
import type { Tally } from "./tally.ts";

export type DatagramOutcome =
  | GatewayDatagram["is"]
  | DatagramRefusal
  | "gateway/unknown"
  | "gateway/other-address"
  | "push-data/malformed"
  | "tx-ack/malformed"
  | "tx-ack/unexpected";
export type ReceptionOutcome = "accepted" | RxpkRefusal | "rxpk/too-many" | "uplink/overflow" | "uplink/refused";

export type ReceivePorts = {
  readonly table: GatewayTable;
  readonly log: Limited;
  readonly datagrams: Tally<DatagramOutcome>;
  readonly receptions: Tally<ReceptionOutcome>;
  readonly send: (datagram: Buffer, host: string, port: number) => void;
  /** False when there is no room. */
  readonly uplink: (reception: Reception) => boolean;
  /** The gateway's connection or place is not what the network-server was told. */
  readonly changed: (gateway: ConnectedGateway) => void;
  /** A clock that only goes forward, milliseconds near the Unix time. */
  readonly nowMs: () => number;
};
export type Source = { readonly address: string; readonly port: number };

/** Concentrators have at most 16 demodulators; a datagram with more frames than this is no forwarder's. */
const mostFrames = 64;

export function receive(ports: ReceivePorts, octets: Buffer, { address, port }: Source): void {
  const outcome = outcomeOf(ports, octets, address, port);
  ports.datagrams.add(outcome);
  if (outcome in complaints)
    ports.log.warn(
      { address, ...(octets.length < 12 ? {} : { gateway: euiOf(octets) }) },
      complaints[outcome] as string,
    );
}

/** Constants, because repeated messages are held back by their text. */
const complaints: { readonly [outcome in DatagramOutcome]?: string } = {
  "datagram/too-short": "a datagram was refused: shorter than a header",
  "datagram/too-long": "a datagram was refused: too long",
  "datagram/version": "a datagram was refused: not version 1 or 2 of the Semtech UDP protocol",
  "datagram/type": "a datagram was refused: not of a type that gateways send",
  "datagram/source-port": "a datagram was refused: it came from port 0",
  "gateway/unknown": "an unknown gateway was refused; to let it in: trefoil gateway create <gateway-id> --eui <EUI>",
  "gateway/other-address":
    "a datagram was refused: its gateway is alive at another address (moved less than a minute ago, or a forgery)",
  "push-data/malformed": "a PUSH_DATA was refused: its body is not a JSON object with rxpk or stat",
  "tx-ack/malformed": "a TX_ACK was refused: its body says neither yes nor no",
  "tx-ack/unexpected": "a TX_ACK came that nobody waits for",
};

function outcomeOf(ports: ReceivePorts, octets: Buffer, host: string, port: number): DatagramOutcome {
  if (port === 0) return "datagram/source-port"; // Nothing can be sent there.
  const datagram = decodeDatagram(octets);
  if (datagram.is === "refused") return datagram.reason;
  const gateway = ports.table.admit(datagram.eui);
  if (!gateway) return "gateway/unknown";
  const now = ports.nowMs();
  const bound = datagram.is === "push-data" ? gateway.push : gateway.pull;
  if (isElsewhere(bound, host, now)) return "gateway/other-address";
  gateway.lastSeen = Date.now();
  switch (datagram.is) {
    case "push-data":
      gateway.push = { host, atMs: now };
      ports.send(encodeAck(datagram), host, port);
      return pushData(ports, gateway, octets, now);
    case "pull-data":
      ports.send(encodeAck(datagram), host, port);
      gateway.pull = { host, port, version: datagram.version, atMs: now };
      if (!gateway.connected) {
        gateway.connected = true;
        ports.changed(gateway);
      }
      return "pull-data";
    case "tx-ack": {
      // Comes from PULL_DATA's socket. It keeps no address bound: only PULL_DATA says that downlinks find their way there.
      const ack = readTxAck(readJson(octets));
      if (!ack) return "tx-ack/malformed";
      return gateway.txAcks.arrived(datagram.token, ack) ? "tx-ack" : "tx-ack/unexpected";
    }
  }
}

function pushData(ports: ReceivePorts, gateway: ConnectedGateway, octets: Buffer, now: number): DatagramOutcome {
  const body = readJson(octets);
  if (body === undefined || body === "empty") return "push-data/malformed";
  const { rxpk, stat } = body;
  const report = stat === undefined ? undefined : readStat(stat);
  const frames = rxpk === undefined ? [] : rxpk;
  if (!Array.isArray(frames) || (rxpk === undefined && !report)) return "push-data/malformed";
  if (report?.location && hasMoved(gateway.reported, report.location)) {
    gateway.reported = report.location;
    ports.changed(gateway);
  }
  const receivedAt = Date.now();
  for (const [i, frame] of frames.entries()) {
    const read = i < mostFrames ? readRxpk(frame) : "rxpk/too-many";
    if (typeof read === "string") {
      ports.receptions.add(read);
      if (read !== "rxpk/crc-bad" && read !== "rxpk/no-crc") {
        ports.log.warn({ gateway: gateway.row.eui, reason: read }, "a frame in a PUSH_DATA was refused");
      }
    } else deliver(ports, gateway, read, receivedAt, now);
  }
  return "push-data";
}

/** One object with one shape, filled in: spreading costs a microsecond per frame. */
type Draft = { -readonly [field in keyof Reception]: Reception[field] };

function deliver(ports: ReceivePorts, gateway: ConnectedGateway, heard: Rxpk, receivedAt: number, now: number): void {
  const concentratorTime = String(gateway.clock.extend(heard.tmst, now));
  const { phyPayload, hz, dataRate, codingRate, gpsTimeMs } = heard;
  for (const { rssi, snr, channel, antenna } of heard.antennas) {
    const reception: Draft = {
      gateway: gateway.row.eui,
      phyPayload,
      hz,
      dataRate,
      concentratorTime,
      rssi,
      receivedAt,
      trust: "none",
    };
    if (codingRate !== undefined) reception.codingRate = codingRate;
    if (snr !== undefined) reception.snr = snr;
    if (channel !== undefined) reception.channel = channel;
    if (antenna !== undefined) reception.antenna = antenna;
    if (gpsTimeMs !== undefined) reception.gpsTimeMs = gpsTimeMs;
    ports.receptions.add(ports.uplink(reception) ? "accepted" : "uplink/overflow");
  }
}
