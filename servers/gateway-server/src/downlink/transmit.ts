/** A downlink's way to its gateway: the first window that is free and legal, and the next when the gateway refuses. */
import { airtimeUs, parseDataRate } from "@trefoil/lorawan";
import type { Transmit, Transmitted, Window } from "@trefoil/wire";
import { tmstAt } from "../gateways/concentrator-clock.ts";
import { type ConnectedGateway, pullPath } from "../gateways/gateway.ts";
import { octetsOf } from "../semtech/rxpk.ts";
import { defaultAntennaGainDbi, encodePullResp } from "../semtech/txpk.ts";
import type { Booking, ScheduleRefusal } from "./schedule.ts";

export type TransmitPorts = {
  readonly gateway: (eui: string) => ConnectedGateway | undefined;
  readonly send: (datagram: Buffer, host: string, port: number) => void;
  /** A clock that only goes forward, milliseconds. */
  readonly nowMs: () => number;
};

const refused = (code: string): Transmitted => ({ result: "refused", code });

export async function transmit(ports: TransmitPorts, request: Transmit): Promise<Transmitted> {
  const gateway = ports.gateway(request.gateway);
  if (!gateway) return refused("gateway/unknown");
  let code = "schedule/too-late";
  for (const [index, window] of request.windows.entries()) {
    const path = pullPath(gateway, ports.nowMs());
    if (!path) return refused("gateway/not-connected");
    const booked = book(ports, gateway, request, window);
    if (typeof booked === "string") {
      code = booked;
      continue;
    }
    const token = gateway.txAcks.newToken();
    const txpk = {
      tmst: tmstAt(booked.startUs),
      window,
      phyPayload: request.phyPayload,
      antennaGainDbi: gateway.row.antennaGainDbi ?? defaultAntennaGainDbi,
    };
    ports.send(encodePullResp(path.version, token, txpk), path.host, path.port);
    if (path.version === 1) return { result: "transmitted", window: index, confirmedByGateway: false };
    const ack = await gateway.txAcks.wait(token);
    // It may be on the air: the time stays booked, and a second window would send it twice.
    if (!ack) return refused("gateway/no-tx-ack");
    if (ack.is === "accepted") return { result: "transmitted", window: index, confirmedByGateway: true };
    booked.release();
    code = `gateway/${ack.error}`;
  }
  return refused(code);
}

function book(
  { nowMs }: TransmitPorts,
  gateway: ConnectedGateway,
  { concentratorTime, phyPayload, priority }: Transmit,
  { delayUs, hz, dataRate, codingRate }: Window,
): Booking | ScheduleRefusal | "schedule/data-rate" {
  const now = nowMs();
  const concentratorUs = gateway.clock.nowUs(now);
  if (concentratorUs === undefined) return "schedule/too-late";
  const rate = parseDataRate(dataRate, codingRate);
  if (!rate || rate.modulation === "LR-FHSS") return "schedule/data-rate";
  const airtime = airtimeUs(rate, octetsOf(phyPayload), { crc: false, codingRate });
  const startUs = Number(concentratorTime) + delayUs;
  return gateway.schedule.book({ startUs, airtimeUs: airtime, hz, priority }, concentratorUs, now);
}
