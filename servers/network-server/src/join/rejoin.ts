/** Rejoin-requests of types 0 and 2, which the session's network checks: who made it, whether it is new, whether it was asked for. */
import { type NetId, type RejoinRequest, verifyTrailingMic } from "@trefoil/lorawan";
import { euiOctets } from "../devices/registry.ts";
import type { Outcome } from "../outcomes.ts";
import { flag } from "../sessions/session-table.ts";
import type { Sessions } from "../sessions/sessions.ts";
import type { State } from "../state.ts";
import { Batch } from "../uplink/batch.ts";
import { activate } from "../uplink/session-change.ts";

/** Sessions of a device that may send rejoin-requests: joined, of 1.1. */
export const slotsOf = (devEui: string, sessions: Sessions): number[] =>
  sessions.table
    .ofDevice(euiOctets(devEui))
    .filter((slot) => sessions.table.is(slot, flag.joined) && sessions.rules(slot).rejoins);

/** The slot of the session that it belongs to, or why it is discarded (LoRaWAN 1.1 §6.2.4.1). */
export function authenticateRejoin(
  phyPayload: Uint8Array,
  frame: RejoinRequest,
  sessions: Sessions,
  netId: NetId,
): number | Outcome {
  if ("netId" in frame && frame.netId !== netId) return "rejoin/other-network";
  const slots = slotsOf(frame.devEui, sessions);
  if (slots.length === 0) return "rejoin/no-session";
  const slot = slots.find((each) => verifyTrailingMic(sessions.schedule(each, "SNwkSIntKey"), phyPayload));
  if (slot === undefined) return "rejoin/mic";
  const { rjCount0, isAsked } = sessions.rejoins.of(sessions.table.columns.sessionId[slot] as number);
  if (frame.rjCount <= rjCount0) return "rejoin/replay";
  // Who wants new keys unasked sends a join-request: such a frame is forged, or its device in disorder.
  if (frame.rejoinType === 2 && !isAsked) return "rejoin/not-asked";
  return slot;
}

/**
 * Claims RJcount0, in memory and then on the disk. A session that waited for its first uplink is in use: the device has made this MIC
 * with its key.
 */
export async function claimRejoin(slot: number, rjCount0: number, state: State): Promise<void> {
  const { sessions } = state;
  const sessionId = sessions.table.columns.sessionId[slot] as number;
  const former = sessions.rejoins.of(sessionId);
  const batch = new Batch();
  batch.add("claimRejoin", sessionId, rjCount0);
  sessions.rejoins.set(sessionId, { rjCount0 });
  batch.undo(() => sessions.rejoins.set(sessionId, former));
  if (sessions.table.is(slot, flag.pending)) activate(slot, state, batch);
  await state.commit(batch);
}

/** Type 2 is answered from now on, for as long as the device's sessions last. False when it has none that could send one. */
export async function askForRejoin(devEui: string, state: State): Promise<boolean> {
  const { table, rejoins } = state.sessions;
  const sessionIds = slotsOf(devEui, state.sessions).map((slot) => table.columns.sessionId[slot] as number);
  const batch = new Batch();
  for (const sessionId of sessionIds) batch.add("askRejoin", sessionId);
  batch.afterwards(() => {
    for (const sessionId of sessionIds) rejoins.set(sessionId, { isAsked: true });
  });
  if (sessionIds.length > 0) await state.commit(batch);
  return sessionIds.length > 0;
}
