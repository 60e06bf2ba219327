/**
 * How a message can end: for each outcome the result code that the peer gets (TS002-1.0.0 §8.3), and the kind of its audit entry, where
 * somebody should be able to ask about it later. Descriptions are the slugs themselves.
 */
import type { ResultCode } from "@trefoil/backend-interfaces";
import type { NotedKind } from "./audit.ts";

type Row = {
  readonly code: ResultCode;
  readonly audit?: NotedKind;
  /** What the peer is told instead, where it shall not see the difference. */
  readonly told?: string;
  /** Of the HTTP response. 200: understood, whatever the Result. */
  readonly status?: number;
};

export const outcomes = {
  "join/accepted": { code: "Success" },
  "rejoin/accepted": { code: "Success" },
  /** The same request of the same peer again: it gets the same answer. */
  "join/repeated": { code: "Success" },
  "app-s-key/given": { code: "Success" },
  "home-ns/told": { code: "Success" },

  "join/malformed": { code: "MalformedRequest", audit: "interop/malformed", status: 400 },
  "interop/too-large": { code: "MalformedRequest", audit: "interop/too-large", status: 413 },
  "join/protocol-version": { code: "InvalidProtocolVersion", audit: "interop/protocol-version" },
  "join/unknown-sender": { code: "UnknownSender", audit: "interop/unknown-sender" },
  "join/unknown-receiver": { code: "UnknownReceiver", audit: "interop/misaddressed" },
  /** Roaming and data: not a join server's business. */
  "interop/not-served": { code: "NoRoamingAgreement", audit: "interop/not-served" },
  "interop/error-notified": { code: "Success", audit: "interop/error-notified" },
  "interop/unasked-answer": { code: "Other", audit: "interop/unasked-answer" },
  "interop/limited": { code: "Other", audit: "interop/limited" },

  "join/unknown-device": { code: "UnknownDevEUI" },
  /** It exists, but is not the peer's: the peer learns no more than that it is unknown. */
  "join/foreign-device": { code: "UnknownDevEUI", audit: "join/foreign-device", told: "join/unknown-device" },
  "join/limited": { code: "ActivationDisallowed", audit: "interop/limited" },
  "join/mic-failed": { code: "MICFailed", audit: "join/mic-failed" },
  "join/dev-nonce-reused": { code: "JoinReqFailed", audit: "join/replayed" },
  "join/dev-nonce-not-rising": { code: "JoinReqFailed", audit: "join/replayed" },
  "rejoin/replayed": { code: "JoinReqFailed", audit: "join/replayed" },
  "rejoin/count-not-rising": { code: "JoinReqFailed", audit: "join/replayed" },
  /** The NetID in the frame is another network's than the one that asks. */
  "rejoin/other-network": { code: "JoinReqFailed", audit: "interop/misaddressed" },
  "join/join-nonces-used-up": { code: "JoinReqFailed" },
  /** The network takes the device for one of another version than it is registered as. */
  "join/version": { code: "JoinReqFailed" },
  "join/no-network-kek": { code: "JoinReqFailed" },
  "join/no-application-kek": { code: "JoinReqFailed" },
  /** The vault refuses its own blob, or what the join-server asks: a damaged or foreign store. */
  "join/blob-refused": { code: "Other", audit: "join/vault-refused" },
  "join/vault-refused": { code: "Other", audit: "join/vault-refused" },
  /** Another application server's session, or device: the same as an unknown one. */
  "app-s-key/foreign": { code: "UnknownDevEUI", audit: "session/foreign", told: "join/unknown-device" },
  "app-s-key/unknown-session": { code: "Other" },
  /** Nothing was claimed: the device may try again. */
  "join/vault-unavailable": { code: "Other", status: 503 },
  "join/store-unavailable": { code: "Other", status: 503 },
} as const satisfies { readonly [outcome: string]: Row };
export type Outcome = keyof typeof outcomes;
export const rowOf = (outcome: Outcome): Row => outcomes[outcome];

/** Outcomes of the vault that have a name here. */
const ofVault: { readonly [code: string]: Outcome } = {
  "join/mic-failed": "join/mic-failed",
  "join/version": "join/version",
  "join/no-network-kek": "join/no-network-kek",
  "join/no-application-kek": "join/no-application-kek",
  "join/blob-refused": "join/blob-refused",
  "join/not-assigned": "join/foreign-device",
};
export const outcomeOfVault = (code: string): Outcome => ofVault[code] ?? "join/vault-refused";
