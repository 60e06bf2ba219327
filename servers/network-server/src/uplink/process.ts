/** All frames of a tick: each decoded, decided, and committed together. */
import { decodePhyPayload, isRefused, type JoinRequest } from "@trefoil/lorawan";
import type { Outcome } from "../outcomes.ts";
import type { State } from "../state.ts";
import { Batch } from "./batch.ts";
import { takeDataUplink } from "./data-uplink.ts";
import type { Frame, UplinksRequest } from "./intake.ts";
import { distinctHearings, type Heard } from "./merge.ts";
import { byQuality } from "./quality.ts";

export type JoinHeard = {
  readonly phyPayload: Uint8Array;
  readonly frame: JoinRequest;
  readonly heard: readonly Heard<UplinksRequest>[];
  readonly firstAt: number;
};

/** Resolves when all is stored. Rejects when the store failed: then nothing was claimed. */
export async function processFrames(
  frames: readonly Frame[],
  state: State,
  join: (request: JoinHeard) => void,
): Promise<void> {
  const batch = new Batch();
  let accepted = 0;
  for (const frame of frames) {
    const outcome = processFrame(frame, state, batch, join);
    if (outcome === "uplink/accepted") accepted++;
    else if (outcome) state.metrics.outcome(outcome);
  }
  try {
    await state.commit(batch);
  } catch (error) {
    for (let i = 0; i < accepted; i++) state.metrics.outcome("uplink/not-stored");
    throw error;
  }
  const now = performance.now();
  for (let i = 0; i < accepted; i++) state.metrics.outcome("uplink/accepted");
  for (const { firstAt } of frames) state.metrics.commitSeconds.observe((now - firstAt) / 1_000);
}

function processFrame(
  merged: Frame,
  state: State,
  batch: Batch,
  join: (request: JoinHeard) => void,
): Outcome | undefined {
  const phyPayload = Buffer.from(merged.phyPayload, "base64");
  const frame = decodePhyPayload(phyPayload);
  if (isRefused(frame)) return "uplink/malformed";
  const { firstAt } = merged;
  const heard = byQuality(distinctHearings(merged.heard));
  switch (frame.type) {
    case "ConfirmedDataUp":
    case "UnconfirmedDataUp":
      return takeDataUplink({ phyPayload, frame, heard, firstAt }, state, batch);
    case "JoinRequest":
      join({ phyPayload, frame, heard, firstAt });
      return undefined;
    case "RejoinRequest":
      return "uplink/rejoin";
    case "Proprietary":
      return "uplink/proprietary";
    default:
      return "uplink/not-uplink";
  }
}
