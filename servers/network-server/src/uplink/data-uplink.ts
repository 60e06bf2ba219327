/** A data uplink, heard by one or more gateways and already merged into one (TS001-1.0.4 §4.3). docs/lifecycles/uplink.md draws it. */
import {
  cryptFOpts,
  cryptFrmPayload,
  type DataUp,
  decodeUplinkCommands,
  isConfirmed,
  parseDataRate,
  readDevAddrNumber,
  type UplinkCommand,
} from "@trefoil/lorawan";
import { answerClassA } from "../downlink/class-a.ts";
import { downlinkEvent, ofSession, uplinkEvent } from "../events.ts";
import { answerCommands, linkMargin } from "../mac/answers.ts";
import { gpsMsOfUnixMs } from "../mac/gps-time.ts";
import type { Outcome } from "../outcomes.ts";
import { flag } from "../sessions/session-table.ts";
import type { State } from "../state.ts";
import { type Authenticated, authenticate } from "./authenticate.ts";
import type { Batch } from "./batch.ts";
import type { Heard } from "./merge.ts";

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
/** A frame may have been heard on ghost channels too; 1.1 binds the channel into the MIC. */
const mostChannels = 3;
/** A gateway's GPS time is believed when it agrees with the server's clock this well; it is the more exact one. */
const gpsToleranceMs = 1_000;

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
    const answers = columns.answers[slot] as number;
    if (answers >= mostAnswers) return "uplink/repeated-too-often";
    columns.answers[slot] = answers + 1;
    const fOpts = answerMac(uplink, slot, fCntUp, state);
    answerClassA({ ...uplink, slot, fCntUp, fOpts, isFresh: false }, state, batch);
    return "uplink/repeated";
  }

  const previous = columns.fCntUp[slot] as number;
  const sessionId = columns.sessionId[slot] as number;
  columns.fCntUp[slot] = fCntUp;
  columns.answers[slot] = 0;
  batch.undo(() => {
    const { table } = state.sessions;
    if (table.isStill(slot, sessionId) && table.columns.fCntUp[slot] === fCntUp) table.columns.fCntUp[slot] = previous;
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
  const fOpts = answerMac(uplink, slot, fCntUp, state);
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

/** The device has the keys of its new session: the old one ends (TS001-1.0.4 §6.2.6). */
function activate(slot: number, state: State, batch: Batch): void {
  const { sessions } = state;
  const { table } = sessions;
  const { columns } = table;
  const sessionId = columns.sessionId[slot] as number;
  batch.add("activateSession", sessionId);
  const former = table
    .ofDevice(columns.devEui.subarray(slot * 8, slot * 8 + 8))
    .filter((other) => other !== slot)
    .map((other) => ({ slot: other, sessionId: columns.sessionId[other] as number }));
  for (const { slot: other, sessionId: id } of former) {
    batch.add("deleteSession", id);
    batch.add("deleteCounter", id);
    dropDownlinks(other, "session-changed", state, batch);
  }
  batch.afterwards(() => {
    if (table.isStill(slot, sessionId))
      table.columns.flags[slot] = (table.columns.flags[slot] as number) & ~flag.pending;
    for (const { slot: other, sessionId: id } of former) if (table.isStill(other, id)) sessions.remove(other);
  });
  state.log.debug({ devEui: table.devEui(slot) }, "a new session is in use");
}

/** A session ends with a downlink open: its counter and its key are gone. */
function dropDownlinks(slot: number, reason: string, state: State, batch: Batch): void {
  const { sessions, downlinks } = state;
  const { columns } = sessions.table;
  const deviceId = columns.deviceId[slot] as number;
  const sessionId = columns.sessionId[slot] as number;
  const open = downlinks.get(deviceId);
  if (open?.sessionId === sessionId && open.state !== "sending") {
    downlinks.delete(open);
    batch.undo(() => downlinks.set(open));
    batch.add("deleteDownlink", deviceId);
    const { queueId, fCntDown } = open;
    batch.events.push(
      downlinkEvent(ofSession(sessions, slot), { is: "downlink.invalidated", queueId, fCntDown, reason }, state.now()),
    );
  }
  const awaited = downlinks.awaited(deviceId);
  if (awaited?.sessionId === sessionId) settle(slot, false, state, batch);
}

/** The first uplink after a confirmed downlink says whether it arrived (TS001-1.0.4 §4.3.1.2). */
function settleAwaited(frame: DataUp, slot: number, state: State, batch: Batch): void {
  const { columns } = state.sessions.table;
  const awaited = state.downlinks.awaited(columns.deviceId[slot] as number);
  if (awaited?.sessionId === columns.sessionId[slot]) settle(slot, frame.ack, state, batch);
}

function settle(slot: number, acknowledged: boolean, { sessions, downlinks, now }: State, batch: Batch): void {
  const deviceId = sessions.table.columns.deviceId[slot] as number;
  const awaited = downlinks.awaited(deviceId);
  if (!awaited) return;
  downlinks.settle(awaited);
  batch.undo(() => downlinks.await(awaited));
  batch.add("deleteAwaited", deviceId);
  const { queueId, fCntDown } = awaited;
  const is = acknowledged ? "downlink.acknowledged" : "downlink.not-acknowledged";
  batch.events.push(downlinkEvent(ofSession(sessions, slot), { is, queueId, fCntDown }, now()));
}

/** The encoded answers to the MAC commands of the frame. */
function answerMac<From>(uplink: DataUplink<From>, slot: number, fCntUp: number, state: State): Uint8Array {
  const commands = macCommands(uplink.frame, slot, fCntUp, state);
  if (commands.length === 0) return nothing;
  for (const { name } of commands) state.metrics.macCommands.inc({ command: name });
  const { reception } = uplink.heard[0] as Heard<From>;
  const rate = parseDataRate(reception.dataRate, reception.codingRate);
  const answers = answerCommands(commands, {
    rules: state.sessions.rules(slot),
    joined: state.sessions.table.is(slot, flag.joined),
    marginDb: linkMargin(reception.snr, rate?.modulation === "LoRa" ? rate.sf : undefined),
    gateways: new Set(uplink.heard.map((one) => one.reception.gateway)).size,
    gpsTimeMs: gpsTimeOf(uplink.heard),
  });
  return Buffer.concat(answers);
}

function macCommands(frame: DataUp, slot: number, fCntUp: number, { sessions }: State): readonly UplinkCommand[] {
  if (frame.fPort !== 0 && frame.fOpts.length === 0) return [];
  const devAddr = sessions.table.columns.devAddr[slot] as number;
  if (frame.fPort === 0) {
    const key = sessions.schedule(slot, "NwkSEncKey");
    return decodeUplinkCommands(cryptFrmPayload(key, "up", devAddr, fCntUp, frame.frmPayload)).commands;
  }
  if (!sessions.rules(slot).encryptsFOpts) return decodeUplinkCommands(frame.fOpts).commands;
  const key = sessions.schedule(slot, "NwkSEncKey");
  return decodeUplinkCommands(cryptFOpts(key, "FCntUp", devAddr, fCntUp, frame.fOpts)).commands;
}

function gpsTimeOf<From>(heard: readonly Heard<From>[]): number {
  const own = gpsMsOfUnixMs((heard[0] as Heard<From>).reception.receivedAt);
  const exact = heard.find(
    ({ reception: { gpsTimeMs } }) => gpsTimeMs !== undefined && Math.abs(gpsTimeMs - own) < gpsToleranceMs,
  );
  return exact?.reception.gpsTimeMs ?? own;
}
