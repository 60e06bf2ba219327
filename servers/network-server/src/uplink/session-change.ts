/** What an uplink means for its session and for downlinks that wait: both change with the uplink's own transaction. */
import type { DataUp } from "@trefoil/lorawan";
import { downlinkEvent, ofSession } from "../events.ts";
import { flag } from "../sessions/session-table.ts";
import { deleteSession } from "../sessions/spent.ts";
import type { State } from "../state.ts";
import type { Batch } from "./batch.ts";

/** The device has the keys of its new session: the old one ends (TS001-1.0.4 §6.2.6). */
export function activate(slot: number, state: State, batch: Batch): void {
  const { sessions } = state;
  const { table } = sessions;
  const { columns } = table;
  const sessionId = columns.sessionId[slot] as number;
  batch.add("activateSession", sessionId);
  const former = table
    .ofDevice(columns.devEui.subarray(slot * 8, slot * 8 + 8))
    .filter((other) => other !== slot)
    .map((other) => ({ slot: other, sessionId: columns.sessionId[other] as number }));
  for (const { slot: other } of former) {
    deleteSession(other, sessions, batch);
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
export function settleAwaited(frame: DataUp, slot: number, state: State, batch: Batch): void {
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
