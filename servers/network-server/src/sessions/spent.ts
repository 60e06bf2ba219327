/** Downlink counters outlive a personalised session: its keys may come again, a counter under them must not (TS001-1.0.4 §4.3.1.5). */
import type { Batch } from "../uplink/batch.ts";
import { flag } from "./session-table.ts";
import type { Sessions } from "./sessions.ts";

/** Whatever of a session is a row of its own. */
const tables = ["deleteSession", "deleteCounter", "deleteRejoin"] as const;
const deleteRows = (sessionId: number, batch: Pick<Batch, "add">) => {
  for (const statement of tables) batch.add(statement, sessionId);
};

/** Adds the rows that end a session. */
export function deleteSession(slot: number, { table }: Sessions, batch: Pick<Batch, "add">): void {
  const { sessionId, devEui, devAddr, nFCntDown, aFCntDown } = table.columns;
  const id = sessionId[slot] as number;
  deleteRows(id, batch);
  if (table.is(slot, flag.joined)) return;
  const eui = devEui.slice(slot * 8, slot * 8 + 8);
  const next = [nFCntDown[slot] as number, aFCntDown[slot] as number];
  batch.add("keepSpentCounter", eui, devAddr[slot] as number, ...next);
}
