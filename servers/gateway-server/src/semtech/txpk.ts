/** PULL_RESP: what a gateway is to transmit. Semtech PROTOCOL.TXT §5.3 and §6. */
import type { Window } from "@trefoil/wire";
import { datagramType } from "./datagram.ts";
import { octetsOf } from "./rxpk.ts";

/** A half-wave dipole: what an antenna of unknown gain is taken for, so that the limit on radiated power holds. */
export const defaultAntennaGainDbi = 2.15;
/** No reference design delivers more. */
const mostPowerDbm = 27;

/** Whole dBm at the connector, never more than allowed. The small addend undoes binary fractions (16.15 − 2.15). */
export const powerDbm = (eirpDbm: number, antennaGainDbi: number): number =>
  Math.min(mostPowerDbm, Math.floor(eirpDbm - antennaGainDbi + 1e-6));

export type Txpk = {
  /** 32 bits of the concentrator's counter at which the preamble begins. */
  readonly tmst: number;
  readonly window: Window;
  readonly phyPayload: string;
  /** dBm at the connector. */
  readonly power: number;
};

/** Downlinks have inverted polarity, so that devices do not hear each other, and in LoRa no CRC (RP002-1.0.4). */
export function encodePullResp(version: number, token: number, { tmst, window, phyPayload, power }: Txpk): Buffer {
  const { hz, dataRate, codingRate } = window;
  const modulation =
    typeof dataRate === "number"
      ? { modu: "FSK", datr: dataRate, fdev: dataRate / 2 }
      : { modu: "LORA", datr: dataRate, codr: codingRate, ipol: true, ncrc: true };
  const txpk = {
    imme: false,
    tmst,
    freq: hz / 1_000_000,
    rfch: 0,
    powe: power,
    ...modulation,
    size: octetsOf(phyPayload),
    data: phyPayload,
  };
  const json = JSON.stringify({ txpk });
  const octets = Buffer.allocUnsafe(4 + json.length); // base64 and numbers: one octet per character
  octets[0] = version;
  octets.writeUInt16BE(token, 1);
  octets[3] = datagramType.pullResp;
  octets.write(json, 4, "latin1");
  return octets;
}
