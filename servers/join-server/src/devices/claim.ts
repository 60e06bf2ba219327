/** What a join uses up for ever, and what is kept of it: one unit of the store, of which one wins. */
import type { Use } from "@trefoil/custody";
import type { Op } from "@trefoil/store";
import type { DeviceId, KeyEnvelope } from "@trefoil/wire";
import type { Statement } from "../schema.ts";
import { type Device, deviceOp, historyOp } from "./device.ts";

/** A session whose AppSKey can still be asked for. */
export type KeptSession = { readonly sessionKeyId: string; readonly asId: string; readonly appSKey: KeyEnvelope };
export type KeptAnswer = {
  readonly peer: string;
  readonly request: Uint8Array;
  readonly body: string;
  /** JSON KeptSession[], the latest first. */
  readonly sessions: string;
};
/** What a request uses up for ever. */
export type Nonce =
  | { readonly request: "join"; readonly devNonce: number }
  | { readonly request: 0 | 2; readonly rjCount: number; readonly frame: Uint8Array }
  | { readonly request: 1; readonly rjCount: number };
export type Claim = Omit<KeptAnswer, "sessions"> & {
  readonly device: Device;
  /** The answer that it replaces, as it was read: JoinNonce sees to it that nobody else replaced it meanwhile. */
  readonly kept: KeptAnswer | undefined;
  readonly nonce: Nonce;
  readonly joinNonce: number;
  readonly session: KeptSession;
  /** The entry of the vault's audit log that this claim answers to. */
  readonly use: Use;
};
/** Sessions of one device whose AppSKey can still be asked for. */
const keptSessions = 4;

export const sessionsOf = (kept: KeptAnswer | undefined): readonly KeptSession[] =>
  kept === undefined ? [] : (JSON.parse(kept.sessions) as KeptSession[]);

/** `claiming` change one row each, or there was no claim. */
export function claimOps(claim: Claim): {
  readonly ops: readonly Op<Statement>[];
  readonly claiming: readonly number[];
} {
  const { device, nonce, joinNonce, peer, request, body, kept, session, use } = claim;
  const { devEui, joinEui } = device;
  const sessions = JSON.stringify([session, ...sessionsOf(kept).slice(0, keptSessions - 1)]);
  const before = device.unregistered ? [historyOp(device), deviceOp(device)] : [];
  const claims: Op<Statement>[] = [
    ...nonceOps(device, nonce, joinNonce),
    { statement: "keepAnswer", rows: [[devEui, joinEui, peer, request, body, sessions]] },
  ];
  return {
    ops: [...before, ...claims, { statement: "knowVaultEntry", rows: [[use.instance, use.entry, use.hash]] }],
    claiming: claims.map((_, i) => before.length + i),
  };
}

function nonceOps({ devEui, joinEui }: DeviceId, nonce: Nonce, joinNonce: number): Op<Statement>[] {
  switch (nonce.request) {
    case "join":
      return [
        { statement: "claimDevNonce", rows: [[devEui, joinEui, nonce.devNonce]] },
        { statement: "claimJoin", rows: [[devEui, joinEui, joinNonce, nonce.devNonce]] },
      ];
    case 1:
      return [{ statement: "claimRejoin1", rows: [[devEui, joinEui, joinNonce, nonce.rjCount]] }];
    default:
      return [
        { statement: "claimRejoinFrame", rows: [[devEui, joinEui, nonce.frame]] },
        { statement: "claimRejoin02", rows: [[devEui, joinEui, joinNonce, nonce.rjCount]] },
      ];
  }
}
