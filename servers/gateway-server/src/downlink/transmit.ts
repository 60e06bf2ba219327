/** A downlink's way to its gateway: the first window that is free and legal, and the next when the gateway refuses. */
import { airtimeUs, parseDataRate } from "@trefoil/lorawan";
import type { Transmit, Transmitted, Window } from "@trefoil/wire";
import { tmstAt } from "../gateways/concentrator-clock.ts";
import { type ConnectedGateway, pullPath } from "../gateways/gateway.ts";
import { octetsOf } from "../semtech/rxpk.ts";
import { defaultAntennaGainDbi, encodePullResp, powerDbm } from "../semtech/txpk.ts";
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
  for (const index of request.windows.keys()) {
    const asked = await askFor(ports, gateway, request, index);
    if (typeof asked !== "string") return asked;
    code = asked;
  }
  return refused(code);
}

/** Asks for one window, at lower power while the gateway cannot have more. A code when the next window may be asked for. */
async function askFor(
  ports: TransmitPorts,
  gateway: ConnectedGateway,
  request: Transmit,
  index: number,
): Promise<Transmitted | string> {
  const window = request.windows[index] as Window;
  const allowed = powerDbm(window.eirpDbm, gateway.row.antennaGainDbi ?? defaultAntennaGainDbi);
  let power: number | undefined = gateway.power.atMost(allowed);
  let code: string | undefined;
  while (power !== undefined) {
    const path = pullPath(gateway, ports.nowMs());
    if (!path) return refused("gateway/not-connected");
    const booked = book(ports, gateway, request, window);
    // No time for another try: what the gateway said of the last one tells more.
    if (typeof booked === "string") return code ?? booked;
    const token = gateway.txAcks.newToken();
    const txpk = { tmst: tmstAt(booked.startUs), window, phyPayload: request.phyPayload, power };
    ports.send(encodePullResp(path.version, token, txpk), path.host, path.port);
    if (path.version === 1) return { result: "transmitted", window: index, confirmedByGateway: false };
    const ack = await gateway.txAcks.wait(token);
    // It may be on the air: the time stays booked, and another try would send it twice.
    if (!ack) return refused("gateway/no-tx-ack");
    if (ack.is === "accepted") return { result: "transmitted", window: index, confirmedByGateway: true };
    booked.release();
    code = `gateway/${ack.error}`;
    power = ack.error === "TX_POWER" ? gateway.power.refused(power) : undefined;
  }
  return code ?? "gateway/TX_POWER";
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
