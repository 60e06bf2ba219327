/** TX_ACK: whether the gateway took a PULL_RESP. Semtech PROTOCOL.TXT §5.5. An empty body means that it did. */
import { isObject } from "./datagram.ts";

/** `accepted`, or the gateway's own word: COLLISION_PACKET, TOO_LATE, TOO_EARLY, TX_FREQ, TX_POWER, GPS_UNLOCKED … */
export type TxAck = { readonly is: "accepted" } | { readonly is: "error"; readonly error: string };

const accepted: TxAck = { is: "accepted" };
/** Newer forwarders warn and transmit all the same (`{"warn": "TX_POWER", "value": 20}`); older ones say NONE. */
export function readTxAck(body: Record<string, unknown> | "empty" | undefined): TxAck | undefined {
  if (body === "empty") return accepted;
  const ack = body?.txpk_ack;
  if (!isObject(ack)) return body && Object.keys(body).length === 0 ? accepted : undefined;
  const { error } = ack;
  if (error === undefined || error === "NONE" || error === "") return accepted;
  return typeof error === "string" && /^[A-Z_]{1,32}$/.test(error) ? { is: "error", error } : undefined;
}
