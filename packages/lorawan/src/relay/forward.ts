/**
 * Frames that a relay passes on, in the FRMPayload of FPort 226: how it heard them, then the PHYPayload.
 *
 * Spec: TS011-1.0.1 §10 (ForwardUplinkReq, ForwardDownlinkReq)
 */
import { frequency, level, uint } from "../mac/fields.ts";
import { command } from "../mac/table.ts";

export const relayFPort = 226;

const header = command(0, 6, {
  dataRate: uint(0, 4),
  snr: level(4, 5, -20, 1),
  rssi: level(9, 7, -15, -1),
  worChannel: uint(16, 2),
  frequency: frequency(24),
});

export type ForwardUplinkReq = {
  readonly dataRate: number;
  /** dB, -20 to 11. */
  readonly snr: number;
  /** dBm, -142 to -15. */
  readonly rssi: number;
  readonly worChannel: number;
  readonly frequency: number;
  readonly phyPayload: Uint8Array;
};

/** Undefined when it is too short. The PHYPayload still has to be decoded: it comes from a stranger. */
export const decodeForwardUplinkReq = (octets: Uint8Array): ForwardUplinkReq | undefined =>
  octets.length < 7 ? undefined : { ...header.read(octets, 0, 6), phyPayload: octets.slice(6) };

export function encodeForwardUplinkReq({ phyPayload, ...values }: ForwardUplinkReq): Uint8Array {
  const octets = new Uint8Array(6 + phyPayload.length);
  octets.set(header.write(values));
  octets.set(phyPayload, 6);
  return octets;
}
