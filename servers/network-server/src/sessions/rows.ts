/** Sessions as rows of the store, in both directions. */
import type { Param, Store } from "@trefoil/store";
import type { MacVersion } from "@trefoil/wire";
import type { HotStatement } from "../schema.ts";
import type { Batch } from "../uplink/batch.ts";
import { noFCnt } from "./columns.ts";
import { regionIndex } from "./regions.ts";
import type { NewSession } from "./session-table.ts";
import { Sessions } from "./sessions.ts";

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

type SessionRow = {
  readonly session_id: number;
  readonly device_id: number;
  readonly dev_eui: Uint8Array;
  readonly is_pending: number;
  readonly is_joined: number;
  readonly dev_addr: number;
  readonly session_key_id: string;
  readonly mac_version: string;
  readonly region: string;
  readonly keys: Uint8Array;
  readonly rx_delay: number;
  readonly rx1_dr_offset: number;
  readonly rx2_data_rate: number;
  readonly rx2_hz: number;
  readonly channels: string;
  readonly f_cnt_up: number;
  readonly n_f_cnt_down: number;
  readonly a_f_cnt_down: number;
  readonly conf_f_cnt_down: number;
};

// In the order of the sessions: three tables are walked side by side, nothing is sorted.
const allSessions = `SELECT s.*, d.dev_eui, c.f_cnt_up, c.n_f_cnt_down, c.a_f_cnt_down, c.conf_f_cnt_down
  FROM session s JOIN counter c USING (session_id) JOIN device d USING (device_id) ORDER BY s.session_id`;

/** All sessions of the store. Ends with the highest SessionID ever used, as far as the store knows. */
export function loadSessions(store: Store<HotStatement>): { readonly sessions: Sessions; readonly highest: number } {
  const counted = store.read<{ n: number }>("SELECT count(*) AS n FROM session").get()?.n ?? 0;
  const sessions = new Sessions(Math.max(1024, Math.ceil(counted * 1.25)));
  const regions = new Map<string, number>();
  let highest = 0;
  for (const row of store.read<SessionRow>(allSessions).iterate()) {
    const region = regions.get(row.region) ?? regionIndex(row.region);
    regions.set(row.region, region);
    highest = row.session_id;
    sessions.table.add({
      sessionId: row.session_id,
      deviceId: row.device_id,
      devAddr: row.dev_addr,
      devEui: row.dev_eui,
      keys: row.keys,
      sessionKeyId: row.session_key_id,
      macVersion: row.mac_version as MacVersion,
      region,
      channelSet: sessions.channelSets.indexOf(row.channels),
      isPending: row.is_pending === 1,
      isJoined: row.is_joined === 1,
      fCntUp: row.f_cnt_up,
      nFCntDown: row.n_f_cnt_down,
      aFCntDown: row.a_f_cnt_down,
      confFCntDown: Math.max(row.conf_f_cnt_down, 0),
      rxDelay: row.rx_delay,
      rx1DrOffset: row.rx1_dr_offset,
      rx2DataRate: row.rx2_data_rate,
      rx2Hz: row.rx2_hz,
    });
    row.keys.fill(0);
  }
  return { sessions, highest };
}

export { noFCnt };
