/** A new session, as rows of the store and in memory. Reading them back is load.ts. */
import type { Param } from "@trefoil/store";
import type { Batch } from "../uplink/batch.ts";
import { regionIndex } from "./regions.ts";
import type { NewSession } from "./session-table.ts";
import type { Sessions } from "./sessions.ts";

/** A session that is about to be made. `channels` is JSON (regions.ts); the caller wipes `keys` after the commit. */
export type SessionToStore = Omit<NewSession, "region" | "channelSet" | "confFCntDown"> & {
  readonly region: string;
  readonly channels: string;
};

/** Adds the rows of a new session to the batch. */
export function storeSession(batch: Pick<Batch, "add">, s: SessionToStore): void {
  const row: Param[] = [
    s.sessionId,
    s.deviceId,
    Number(s.isPending),
    Number(s.isJoined),
    s.devAddr,
    s.sessionKeyId,
    s.macVersion,
    s.region,
    s.keys,
    s.rxDelay,
    s.rx1DrOffset,
    s.rx2DataRate,
    s.rx2Hz,
    s.channels,
  ];
  batch.add("insertSession", ...row);
  batch.add("insertCounter", s.sessionId, s.fCntUp, s.nFCntDown, s.aFCntDown);
}

/** The same session, in memory: after its rows are on the disk. */
export function addSession(sessions: Sessions, s: SessionToStore): number {
  return sessions.table.add({
    ...s,
    region: regionIndex(s.region),
    channelSet: sessions.channelSets.indexOf(s.channels),
    confFCntDown: 0,
  });
}
