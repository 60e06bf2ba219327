/** What the nonces say to a join-request or rejoin-request, before any key is touched. Pure. */
import { keySchemeOf } from "@trefoil/backend-interfaces";
import { rules } from "@trefoil/lorawan";
import type { MacVersion } from "@trefoil/wire";
import type { Nonce } from "../devices/claim.ts";
import type { Outcome } from "../outcomes.ts";

export type Known = {
  readonly macVersion: MacVersion;
  readonly lastJoinNonce: number;
  readonly lastDevNonce: number;
  readonly rjCount1: number;
  /** This DevNonce, or this rejoin frame of type 0 or 2, was answered before. */
  readonly isUsed: boolean;
};
export type Asked = { readonly macVersion: string; readonly dlSettings: number; readonly nonce: Nonce };
export type Decision =
  | { readonly is: "join"; readonly joinNonce: number }
  | { readonly is: "refused"; readonly outcome: Outcome };

const refused = (outcome: Outcome): Decision => ({ is: "refused", outcome });
const maxJoinNonce = 0xff_ffff;
const optNeg = 0x80;

/**
 * JoinNonce rises by one with each join-accept (TS001-1.0.4 §6.2.6), for all versions. A device of 1.1 joins as one of 1.1 and no other
 * way: the network's MACVersion and OptNeg must say what the device is registered as.
 */
export function decideJoin(known: Known, asked: Asked): Decision {
  const { macVersion, lastJoinNonce } = known;
  const is11 = keySchemeOf(macVersion) === "1.1";
  if (keySchemeOf(asked.macVersion) !== keySchemeOf(macVersion) || ((asked.dlSettings & optNeg) !== 0) !== is11)
    return refused("join/version");
  const used = refusalOfNonce(known, asked.nonce);
  if (used !== undefined) return refused(used);
  if (lastJoinNonce >= maxJoinNonce) return refused("join/join-nonces-used-up");
  return { is: "join", joinNonce: lastJoinNonce + 1 };
}

/**
 * The whole history of DevNonces counts, in every version; from 1.0.4 on they must also rise (TS001-1.0.4 §6.2.5, LoRaWAN 1.1 §6.2.2).
 * RJcount1 rises for ever (LoRaWAN 1.1 §6.2.4.2). RJcount0 starts again with each join-accept that the device takes (§6.2.4.1): the
 * join server cannot see which these are, so no frame is answered twice; that it fits the session is the network server's to check (its MIC).
 */
function refusalOfNonce({ macVersion, lastDevNonce, rjCount1, isUsed }: Known, nonce: Nonce): Outcome | undefined {
  const { devNonceIsCounter, rejoins } = rules(macVersion);
  if (nonce.request === "join") {
    if (isUsed) return "join/dev-nonce-reused";
    return devNonceIsCounter && nonce.devNonce <= lastDevNonce ? "join/dev-nonce-not-rising" : undefined;
  }
  if (!rejoins) return "join/version";
  if (nonce.request === 1) return nonce.rjCount <= rjCount1 ? "rejoin/count-not-rising" : undefined;
  return isUsed ? "rejoin/replayed" : undefined;
}
