/** What a restart finds of application downlinks: offers wait on; of those that were being sent nobody knows whether they were. */
import type { Store } from "@trefoil/store";
import { downlinkEvent, ofSession } from "../events.ts";
import type { HotStatement } from "../schema.ts";
import type { State } from "../state.ts";
import { Batch } from "../uplink/batch.ts";

type DownlinkRow = {
  readonly device_id: number;
  readonly session_id: number;
  readonly state: "offered" | "sending";
  readonly queue_id: string;
  readonly f_cnt_down: number;
  readonly f_port: number;
  readonly confirmed: number;
  readonly more: number;
  readonly frm_payload: Uint8Array;
};
type AwaitedRow = {
  readonly device_id: number;
  readonly session_id: number;
  readonly queue_id: string;
  readonly f_cnt_down: number;
};

export async function resumeDownlinks(store: Store<HotStatement>, state: State): Promise<void> {
  const { sessions, downlinks, now } = state;
  const rows = store.read<DownlinkRow>("SELECT * FROM downlink").all();
  for (const row of store.read<AwaitedRow>("SELECT * FROM awaited").all()) {
    const { device_id: deviceId, session_id: sessionId, queue_id: queueId, f_cnt_down: fCntDown } = row;
    downlinks.await({ deviceId, sessionId, queueId, fCntDown });
    downlinks.sent(queueId);
  }

  const batch = new Batch();
  for (const row of rows) {
    const { device_id: deviceId, session_id: sessionId, queue_id: queueId, f_cnt_down: fCntDown } = row;
    if (row.state === "offered") {
      const { f_port: fPort, frm_payload: frmPayload } = row;
      const more = row.more === 1;
      const confirmed = row.confirmed === 1;
      const size = frmPayload.length;
      downlinks.set({
        deviceId,
        sessionId,
        queueId,
        fCntDown,
        fPort,
        size,
        confirmed,
        state: "offered",
        frmPayload,
        more,
      });
      continue;
    }
    batch.add("deleteDownlink", deviceId);
    const slot = sessions.table.slotOf(sessionId);
    if (slot === undefined) continue;
    // Sent again it might be heard twice: whoever ordered it must decide.
    const fate = { is: "downlink.failed", queueId, fCntDown, reason: "restarted-while-sending" } as const;
    batch.events.push(downlinkEvent(ofSession(sessions, slot), fate, now()));
  }
  if (rows.some((row) => row.state === "sending")) await state.commit(batch);
}
