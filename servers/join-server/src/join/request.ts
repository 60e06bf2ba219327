/** What a join-request or rejoin-request on the air says, where it is the frame that the message is about. Pure. */
import type { JoinReq, RejoinReq } from "@trefoil/backend-interfaces";
import { parseHex } from "@trefoil/custody";
import { decodePhyPayload } from "@trefoil/lorawan";
import type { Nonce } from "../devices/claim.ts";
import { identifier } from "../interop/sender.ts";

export type Requested = {
  readonly joinEui: string;
  /** Of a rejoin-request of type 0 or 2: the network that the device is in. */
  readonly netId?: string;
  readonly nonce: Nonce;
};

/** `undefined` for another frame than the message promises. Types 0 and 2 have no JoinEUI: ReceiverID names it (LoRaWAN 1.1 §6.2.4). */
export function readRequest({
  MessageType,
  PHYPayload,
  DevEUI,
  ReceiverID,
}: JoinReq | RejoinReq): Requested | undefined {
  const octets = parseHex(PHYPayload) ?? new Uint8Array(0);
  const frame = decodePhyPayload(octets);
  if (!("type" in frame) || !("devEui" in frame) || frame.devEui !== DevEUI) return undefined;
  if (frame.type === "JoinRequest")
    return MessageType === "JoinReq"
      ? { joinEui: frame.joinEui, nonce: { request: "join", devNonce: frame.devNonce } }
      : undefined;
  if (MessageType !== "RejoinReq") return undefined;
  const { rjCount, rejoinType } = frame;
  if (rejoinType === 1) return { joinEui: frame.joinEui, nonce: { request: 1, rjCount } };
  const joinEui = identifier(ReceiverID, 16);
  return joinEui === undefined
    ? undefined
    : { joinEui, netId: frame.netId, nonce: { request: rejoinType, rjCount, frame: octets } };
}
