/** What the nonces say to a join-request, before any key is touched. Pure. */
import { keySchemeOf } from "@trefoil/backend-interfaces";
import { rules } from "@trefoil/lorawan";
import type { MacVersion } from "@trefoil/wire";
import type { Outcome } from "./outcomes.ts";

export type Known = {
  readonly macVersion: MacVersion;
  readonly lastJoinNonce: number;
  readonly lastDevNonce: number;
  readonly isDevNonceUsed: boolean;
};
export type Asked = { readonly macVersion: string; readonly dlSettings: number; readonly devNonce: number };
export type Decision =
  | { readonly is: "join"; readonly joinNonce: number }
  | { readonly is: "refused"; readonly outcome: Outcome };

const refused = (outcome: Outcome): Decision => ({ is: "refused", outcome });
const maxJoinNonce = 0xff_ffff;
const optNeg = 0x80;

/**
 * The whole history of DevNonces counts, in every version; from 1.0.4 on they must also rise (TS001-1.0.4 §6.2.5, LoRaWAN 1.1 §6.2.2).
 * JoinNonce rises by one with each join (TS001-1.0.4 §6.2.6), for all versions.
 */
export function decideJoin({ macVersion, lastJoinNonce, lastDevNonce, isDevNonceUsed }: Known, asked: Asked): Decision {
  const is11 = keySchemeOf(macVersion) === "1.1";
  if (keySchemeOf(asked.macVersion) !== keySchemeOf(macVersion) || ((asked.dlSettings & optNeg) !== 0) !== is11)
    return refused("join/version");
  if (isDevNonceUsed) return refused("join/dev-nonce-reused");
  if (rules(macVersion).devNonceIsCounter && asked.devNonce <= lastDevNonce)
    return refused("join/dev-nonce-not-rising");
  if (lastJoinNonce >= maxJoinNonce) return refused("join/join-nonces-used-up");
  return { is: "join", joinNonce: lastJoinNonce + 1 };
}
