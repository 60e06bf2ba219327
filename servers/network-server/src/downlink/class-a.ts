/** The answer in a device's class A windows: decided with the uplink, reserved in its transaction, composed and sent after it. */
import { type DataUp, isConfirmed } from "@trefoil/lorawan";
import { downlinkEvent, ofSession } from "../events.ts";
import type { State } from "../state.ts";
import { Batch } from "../uplink/batch.ts";
import type { Heard } from "../uplink/merge.ts";
import { answerOrder } from "../uplink/quality.ts";
import { type Answer, decideAnswer } from "./answer.ts";
import { composeDownlink, type DownlinkContent } from "./compose.ts";
import type { OpenDownlink } from "./open-downlinks.ts";
import { type Attempt, transmit } from "./transmit.ts";
import { type ClassAWindow, classAWindows } from "./windows.ts";

export type Answerable<From> = {
  readonly frame: DataUp;
  readonly heard: readonly Heard<From>[];
  readonly firstAt: number;
  readonly slot: number;
  readonly fCntUp: number;
  /** Encoded MAC answers. */
  readonly fOpts: Uint8Array;
  /** False for a frame that is answered again: then there is no counter to claim. */
  readonly isFresh: boolean;
};

/** Adds the claim of the uplink with the downlink counters after it, and plans the answer. */
export function answerClassA<From>(uplink: Answerable<From>, state: State, batch: Batch): void {
  const { slot, frame } = uplink;
  const { sessions } = state;
  const { columns } = sessions.table;
  const sessionId = columns.sessionId[slot] as number;
  const deviceId = columns.deviceId[slot] as number;
  const open = openOf(state, deviceId, sessionId);

  let plan: (() => void) | undefined;
  if (isConfirmed(frame) || frame.adrAckReq || uplink.fOpts.length > 0 || open) {
    const windows = classAWindows(
      sessions.region(slot),
      rxParameters(state, slot),
      (uplink.heard[0] as Heard<From>).reception,
    );
    const offered =
      open?.state === "offered" ? { fCntDown: open.fCntDown, size: open.size, more: open.more } : undefined;
    const answer = decideAnswer({
      hasTwoCounters: sessions.rules(slot).twoFCntDown,
      nFCntDown: columns.nFCntDown[slot] as number,
      uplink: { confirmed: isConfirmed(frame), adrAckReq: frame.adrAckReq },
      fOpts: uplink.fOpts.length,
      ...(offered ? { offer: offered } : {}),
      ...(open && !offered ? { reserved: { fCntDown: open.fCntDown } } : {}),
      most: windows.map(({ most }) => most),
    });
    if (open && (answer.invalidate || answer.forgetReservation)) dropOpen(open, answer, slot, state, batch);
    plan = planOf(uplink, answer, open, windows, state, batch);
  }

  const { nFCntDown, aFCntDown } = columns;
  if (uplink.isFresh)
    batch.add("claim", sessionId, uplink.fCntUp, nFCntDown[slot] as number, aFCntDown[slot] as number);
  else if (plan) batch.add("reserve", sessionId, nFCntDown[slot] as number, aFCntDown[slot] as number);
  if (plan) batch.afterwards(plan);
}

/** So often the payload of one entry may be too long for the data rate: a device that stays slow would hold up its queue for ever. */
const mostTooLong = 3;

/** The device's open downlink, where it belongs to this session and is not on its way already. */
function openOf({ downlinks }: State, deviceId: number, sessionId: number): OpenDownlink | undefined {
  if (downlinks.size === 0) return undefined;
  const open = downlinks.get(deviceId);
  return open?.sessionId === sessionId && open.state !== "sending" ? open : undefined;
}

function dropOpen(open: OpenDownlink, { invalidate }: Answer, slot: number, state: State, batch: Batch): void {
  const { downlinks, sessions } = state;
  downlinks.delete(open);
  batch.undo(() => downlinks.set(open));
  if (!invalidate) return;
  batch.add("deleteDownlink", open.deviceId);
  const { queueId, fCntDown } = open;
  const isTooLong = invalidate === "too-long-for-data-rate";
  const times = isTooLong ? downlinks.tooLong(queueId) + 1 : 0;
  const isVain = times >= mostTooLong;
  if (isTooLong) batch.afterwards(() => downlinks.setTooLong(queueId, isVain ? 0 : times));
  const is = isVain ? "downlink.failed" : "downlink.invalidated";
  const fate = { is, queueId, fCntDown, reason: invalidate } as const;
  batch.events.push(downlinkEvent(ofSession(sessions, slot), fate, state.now()));
}

/** Takes the counter now; what it returns composes and sends, and must run only after the commit. */
function planOf<From>(
  { slot, heard, fCntUp, fOpts, firstAt }: Answerable<From>,
  answer: Answer,
  open: OpenDownlink | undefined,
  windows: readonly ClassAWindow[],
  state: State,
  batch: Batch,
): (() => void) | undefined {
  if (answer.frame === "none") return undefined;
  const { columns } = state.sessions.table;
  const sessionId = columns.sessionId[slot] as number;
  const usable = answer.windows.map((i) => {
    const { most: _, ...window } = windows[i] as ClassAWindow;
    return window;
  });
  const attempts = answerOrder(heard).map(({ reception }) => ({ reception, windows: usable }));
  const content = { ack: answer.ack, fPending: answer.fPending, fOpts, fCntUp };

  if (answer.frame === "network") {
    const fCntDown = columns.nFCntDown[slot] as number;
    columns.nFCntDown[slot] = fCntDown + 1;
    return () =>
      void send({ slot, sessionId, attempts, firstAt, content: { ...content, fCntDown, confirmed: false } }, state);
  }
  const offer = open as OpenDownlink;
  offer.state = "sending";
  batch.undo(() => {
    offer.state = "offered";
  });
  batch.add("sendDownlink", offer.deviceId);
  if (offer.confirmed) {
    const former = columns.confFCntDown[slot] as number;
    batch.undo(() => {
      const { table } = state.sessions;
      if (table.isStill(slot, sessionId)) table.columns.confFCntDown[slot] = former;
    });
    columns.confFCntDown[slot] = offer.fCntDown & 0xffff;
    batch.add("confirmDownlink", sessionId, offer.fCntDown);
  }
  const { fCntDown, confirmed, fPort, frmPayload } = offer;
  const application = { fPort, frmPayload: frmPayload as Uint8Array };
  return () =>
    void send(
      { slot, sessionId, attempts, firstAt, content: { ...content, fCntDown, confirmed, application }, offer },
      state,
    );
}

type ToSend = {
  readonly slot: number;
  readonly sessionId: number;
  readonly attempts: readonly Attempt[];
  readonly firstAt: number;
  readonly content: DownlinkContent;
  readonly offer?: OpenDownlink;
};

async function send({ slot, sessionId, attempts, firstAt, content, offer }: ToSend, state: State): Promise<void> {
  const { sessions, metrics } = state;
  if (!sessions.table.isStill(slot, sessionId)) return;
  const session = ofSession(sessions, slot);
  const phyPayload = composeDownlink(sessions, slot, content);
  const fate = await transmit(phyPayload, "class-a", attempts, {
    request: state.transmit,
    elapsedMs: () => performance.now() - firstAt,
  });
  metrics.downlinks.inc({ priority: "class-a", result: fate.result === "sent" ? "sent" : fate.code });
  if (fate.result !== "sent") state.log.debug({ devEui: session.devEui, ...fate }, "a downlink was not surely sent");
  if (!offer) return;

  const { queueId, fCntDown, deviceId } = offer;
  const batch = new Batch();
  state.downlinks.delete(offer);
  batch.add("deleteDownlink", deviceId);
  // Of unknown fate counts as sent: encrypted anew the device would get the same command twice. An ACK tells the rest.
  if (fate.result !== "failed") {
    state.downlinks.sent(queueId);
    const gatewayId = state.gateways.gatewayId(fate.gateway);
    batch.events.push(downlinkEvent(session, { is: "downlink.sent", queueId, fCntDown, gatewayId }, state.now()));
    if (offer.confirmed) {
      batch.add("awaitAck", deviceId, sessionId, queueId, fCntDown);
      state.downlinks.await({ deviceId, sessionId, queueId, fCntDown });
    }
  } else {
    // All gateways refused it. The same octets may not be made twice, so the payload needs a new counter.
    batch.events.push(
      downlinkEvent(session, { is: "downlink.invalidated", queueId, fCntDown, reason: fate.code }, state.now()),
    );
  }
  await state.commitSurely(batch);
}

function rxParameters({ sessions }: State, slot: number) {
  const { rxDelay, rx1DrOffset, rx2DataRate, rx2Hz } = sessions.table.columns;
  return {
    rxDelay: rxDelay[slot] as number,
    rx1DrOffset: rx1DrOffset[slot] as number,
    rx2DataRate: rx2DataRate[slot] as number,
    rx2Hz: rx2Hz[slot] as number,
  };
}
