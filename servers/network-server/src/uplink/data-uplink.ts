/** A data uplink, heard by one or more gateways and already merged into one (TS001-1.0.4 §4.3). docs/lifecycles/uplink.md draws it. */
import { type DataUp, isConfirmed, readDevAddrNumber } from "@trefoil/lorawan";
import { answerClassA } from "../downlink/class-a.ts";
import { ofSession, uplinkEvent } from "../events.ts";
import { answerMac } from "../mac/uplink.ts";
import type { Outcome } from "../outcomes.ts";
import { flag } from "../sessions/session-table.ts";
import type { State } from "../state.ts";
import { type Authenticated, authenticate } from "./authenticate.ts";
import type { Batch } from "./batch.ts";
import type { Heard } from "./merge.ts";
import { activate, settleAwaited } from "./session-change.ts";

export type DataUplink<From> = {
  readonly phyPayload: Uint8Array;
  readonly frame: DataUp;
  /** The best one first. */
  readonly heard: readonly Heard<From>[];
  /** `performance.now()` when the first gateway's report came. */
  readonly firstAt: number;
};

/** More than a device of 1.0.x repeats a confirmed frame (LoRaWAN 1.0.3 §18.4). */
const mostAnswers = 8;
/** A device repeats a frame within seconds (TS001-1.0.4 §4.3.1.2); who replays one later gets no transmission for it. */
const answeredForMs = 10_000;
/** A frame may have been heard on ghost channels too; 1.1 binds the channel into the MIC. */
const mostChannels = 3;

const noSlots: number[] = [];
const nothing = new Uint8Array(0);

/** Puts what follows from the frame into the batch. Memory is changed at once, so that no second frame of the batch can win the same counter. */
export function takeDataUplink<From>(uplink: DataUplink<From>, state: State, batch: Batch): Outcome {
  const { frame, phyPayload } = uplink;
  const devAddr = readDevAddrNumber(phyPayload, 1);
  const slots = noSlots;
  slots.length = 0;
  state.sessions.table.withDevAddr(devAddr, slots);
  if (slots.length === 0) return state.isOurs(devAddr) ? "uplink/unknown-dev-addr" : "uplink/other-network";

  const authentic = authenticateOnAnyChannel(uplink, slots, state);
  if (typeof authentic === "string") return authentic;
  const { slot, fCntUp, repeated } = authentic;
  const { columns } = state.sessions.table;

  if (repeated) {
    if (!isConfirmed(frame)) return "uplink/repeated";
    if (uplink.firstAt - (columns.acceptedAt[slot] as number) > answeredForMs) return "uplink/replay";
    const answers = columns.answers[slot] as number;
    if (answers >= mostAnswers) return "uplink/repeated-too-often";
    columns.answers[slot] = answers + 1;
    const fOpts = answerMac({ ...uplink, slot, fCntUp }, state);
    answerClassA({ ...uplink, slot, fCntUp, fOpts, isFresh: false }, state, batch);
    return "uplink/repeated";
  }

  const previous = columns.fCntUp[slot] as number;
  const previousConf = columns.acceptedConfFCnt[slot] as number;
  const previousAt = columns.acceptedAt[slot] as number;
  const sessionId = columns.sessionId[slot] as number;
  columns.fCntUp[slot] = fCntUp;
  columns.acceptedConfFCnt[slot] = columns.confFCntDown[slot] as number;
  columns.acceptedAt[slot] = uplink.firstAt;
  columns.answers[slot] = 0;
  batch.undo(() => {
    const { table } = state.sessions;
    if (!table.isStill(slot, sessionId) || table.columns.fCntUp[slot] !== fCntUp) return;
    table.columns.fCntUp[slot] = previous;
    table.columns.acceptedConfFCnt[slot] = previousConf;
    table.columns.acceptedAt[slot] = previousAt;
  });
  if (state.sessions.table.is(slot, flag.pending)) activate(slot, state, batch);

  const isForApplication = frame.fPort !== 0;
  batch.events.push(
    uplinkEvent(
      ofSession(state.sessions, slot),
      {
        fCntUp,
        ...(isForApplication && frame.fPort !== undefined ? { fPort: frame.fPort } : {}),
        frmPayload: isForApplication ? frame.frmPayload : nothing,
        confirmed: isConfirmed(frame),
        octets: phyPayload.length,
      },
      uplink.heard,
      state.gateways,
    ),
  );
  settleAwaited(frame, slot, state, batch);
  const fOpts = answerMac({ ...uplink, slot, fCntUp }, state);
  answerClassA({ ...uplink, slot, fCntUp, fOpts, isFresh: true }, state, batch);
  return "uplink/accepted";
}

function authenticateOnAnyChannel<From>(
  { phyPayload, frame, heard }: DataUplink<From>,
  slots: readonly number[],
  { sessions }: State,
): Authenticated {
  const first = (heard[0] as Heard<From>).reception;
  let result = authenticate(phyPayload, frame, first, slots, sessions);
  if (result !== "uplink/mic" || heard.length === 1) return result;
  const others = new Map(heard.map(({ reception }) => [`${reception.hz} ${reception.dataRate}`, reception]));
  others.delete(`${first.hz} ${first.dataRate}`);
  for (const reception of [...others.values()].slice(0, mostChannels)) {
    result = authenticate(phyPayload, frame, reception, slots, sessions);
    if (result !== "uplink/mic") return result;
  }
  return result;
}
