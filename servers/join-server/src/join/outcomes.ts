/** How a JoinReq can end: for each outcome the result code that the peer gets (TS002-1.0.0 §8.3). Descriptions are the slugs themselves. */
import type { ResultCode } from "@trefoil/backend-interfaces";

export const outcomes = {
  "join/accepted": "Success",
  /** The same request of the same peer again: it gets the same answer. */
  "join/repeated": "Success",

  "join/malformed": "MalformedRequest",
  "join/protocol-version": "InvalidProtocolVersion",
  "join/unknown-sender": "UnknownSender",
  "join/unknown-receiver": "UnknownReceiver",
  "join/unknown-device": "UnknownDevEUI",
  /** It exists, but is not the peer's: the peer learns no more than that. */
  "join/foreign-device": "UnknownDevEUI",
  "join/mic-failed": "MICFailed",
  "join/dev-nonce-reused": "JoinReqFailed",
  "join/dev-nonce-not-rising": "JoinReqFailed",
  "join/join-nonces-used-up": "JoinReqFailed",
  /** The network takes the device for one of another version than it is registered as. */
  "join/version": "JoinReqFailed",
  "join/no-network-kek": "JoinReqFailed",
  "join/no-application-kek": "JoinReqFailed",
  /** The vault refuses its own blob, or what the join-server asks: a damaged or foreign store. */
  "join/blob-refused": "Other",
  "join/vault-refused": "Other",
  /** Nothing was claimed: the device may try again. */
  "join/vault-unavailable": "Other",
  "join/store-unavailable": "Other",
} as const satisfies { readonly [outcome: string]: ResultCode };
export type Outcome = keyof typeof outcomes;

/** What the peer is told. `foreign` and `unknown` look the same. */
export const described: { readonly [outcome in Outcome]?: Outcome } = { "join/foreign-device": "join/unknown-device" };

/** Outcomes of the vault that have a name here. */
const ofVault = [
  "join/mic-failed",
  "join/version",
  "join/no-network-kek",
  "join/no-application-kek",
  "join/blob-refused",
] as const satisfies Outcome[];
export const outcomeOfVault = (code: string): Outcome =>
  ofVault.find((known) => known === code) ?? "join/vault-refused";
