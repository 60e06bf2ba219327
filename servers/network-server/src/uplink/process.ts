/** All frames of a tick: each decoded, decided, and committed together. */
import { decodePhyPayload, isRefused, type JoinRequest, type RejoinRequest } from "@trefoil/lorawan";
import type { Outcome } from "../outcomes.ts";
import type { State } from "../state.ts";
import { Batch } from "./batch.ts";
import { type DataUplink, takeDataUplink } from "./data-uplink.ts";
import type { Frame, UplinksRequest } from "./intake.ts";
import { distinctHearings, type Heard } from "./merge.ts";
import { byQuality } from "./quality.ts";

export type RequestHeard<Request extends JoinRequest | RejoinRequest> = {
  readonly phyPayload: Uint8Array;
  readonly frame: Request;
  readonly heard: readonly Heard<UplinksRequest>[];
  readonly firstAt: number;
};
export type JoinHeard = RequestHeard<JoinRequest>;
export type RejoinHeard = RequestHeard<RejoinRequest>;

type Received =
  | { readonly outcome: Outcome }
  | { readonly data: DataUplink<UplinksRequest> }
  | { readonly join: JoinHeard | RejoinHeard };

/** Resolves when all is stored. Rejects when the store failed: then nothing was claimed. */
export async function processFrames(
  frames: readonly Frame[],
  state: State,
  join: (request: JoinHeard | RejoinHeard) => void,
): Promise<void> {
  const data: DataUplink<UplinksRequest>[] = [];
  for (const frame of frames) {
    const received = receive(frame);
    if ("data" in received) data.push(received.data);
    else if ("join" in received) join(received.join);
    else state.metrics.outcome(received.outcome);
  }
  const batch = new Batch();
  const decided = data.map((uplink) => takeDataUplink(uplink, state, batch));
  try {
    count(await commit(batch, data, decided, state), state);
  } catch (error) {
    count(
      decided.map((outcome) => (outcome === "uplink/accepted" ? "uplink/not-stored" : outcome)),
      state,
    );
    throw error;
  }
  const now = performance.now();
  for (const { firstAt } of data) state.metrics.claimSeconds.observe((now - firstAt) / 1_000);
}

/**
 * Commits; gives the outcomes. Where the disk knows of a later counter than the memory (another process has claimed it, or a
 * transaction succeeded that was reported as failed), the memory learns it and all is decided once more: one such frame must not hold up the others.
 */
async function commit(
  batch: Batch,
  data: readonly DataUplink<UplinksRequest>[],
  decided: readonly Outcome[],
  state: State,
): Promise<readonly Outcome[]> {
  try {
    await state.commit(batch);
    return decided;
  } catch (error) {
    if ((error as { code?: string }).code !== "store/constraint") throw error;
    state.rereadCounters(batch.rowsOf("claim").map(([sessionId]) => sessionId as number));
    const again = new Batch();
    const outcomes = data.map((uplink) => takeDataUplink(uplink, state, again));
    await state.commit(again);
    return outcomes;
  }
}

function count(outcomes: readonly Outcome[], { metrics }: State): void {
  for (const outcome of outcomes) metrics.outcome(outcome);
}

function receive(merged: Frame): Received {
  const phyPayload = Buffer.from(merged.phyPayload, "base64");
  const frame = decodePhyPayload(phyPayload);
  if (isRefused(frame)) return { outcome: "uplink/malformed" };
  const { firstAt } = merged;
  const heard = byQuality(distinctHearings(merged.heard));
  switch (frame.type) {
    case "ConfirmedDataUp":
    case "UnconfirmedDataUp":
      return { data: { phyPayload, frame, heard, firstAt } };
    case "JoinRequest":
      return { join: { phyPayload, frame, heard, firstAt } };
    case "RejoinRequest":
      return { join: { phyPayload, frame, heard, firstAt } };
    case "Proprietary":
      return { outcome: "uplink/proprietary" };
    default:
      return { outcome: "uplink/not-uplink" };
  }
}
