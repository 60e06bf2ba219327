/**
 * All sessions of the store into the table, at the start. A million rows one by one would take many seconds: most of that is making
 * JavaScript values of each cell. So SQLite gathers a thousand sessions into one row, each column as a JSON list, octets as one BLOB.
 */
import { rules } from "@trefoil/lorawan";
import type { Store } from "@trefoil/store";
import type { MacVersion } from "@trefoil/wire";
import type { HotStatement } from "../schema.ts";
import { keyOctets } from "./columns.ts";
import { regionIndex } from "./regions.ts";
import { Sessions } from "./sessions.ts";

const numbers = [
  "session_id",
  "device_id",
  "is_pending",
  "is_joined",
  "dev_addr",
  "rx_delay",
  "rx1_dr_offset",
  "rx2_data_rate",
  "rx2_hz",
  "f_cnt_up",
  "n_f_cnt_down",
  "a_f_cnt_down",
  "conf_f_cnt_down",
] as const;
const texts = ["session_key_id", "mac_version", "region", "channels"] as const;
type Column = (typeof numbers)[number] | (typeof texts)[number];

/** Aggregates of one group see its rows in the same order. A BLOB that is joined as text and cast back keeps its octets. */
const query = `SELECT
  ${[...numbers, ...texts].map((column) => `json_group_array(${column}) AS ${column}`).join(", ")},
  CAST(group_concat(keys, '') AS BLOB) AS keys, CAST(group_concat(dev_eui, '') AS BLOB) AS dev_eui, max(session_id) AS last
  FROM (SELECT s.*, d.dev_eui, f_cnt_up, n_f_cnt_down, a_f_cnt_down, conf_f_cnt_down
    FROM session s JOIN counter c USING (session_id) JOIN device d USING (device_id)
    WHERE s.session_id > ? ORDER BY s.session_id LIMIT 1000)`;

type Group = { readonly [column in Column]: string } & {
  readonly keys: Uint8Array;
  readonly dev_eui: Uint8Array;
  readonly last: number | null;
};

type RejoinRow = { readonly session_id: number; readonly rj_count0: number; readonly is_asked: number };

/** The sessions, and the highest SessionID among them. */
export function loadSessions(store: Store<HotStatement>): { readonly sessions: Sessions; readonly highest: number } {
  const { n } = store.read<{ n: number }>("SELECT count(*) AS n FROM session").get() ?? { n: 0 };
  const sessions = new Sessions(Math.max(1024, Math.ceil(n * 1.25)));
  for (const row of store.read<RejoinRow>("SELECT * FROM rejoin").all())
    sessions.rejoins.set(row.session_id, { rjCount0: row.rj_count0, isAsked: row.is_asked === 1 });
  const groups = store.read<Group>(query);
  for (let highest = 0; ; ) {
    const group = groups.get(highest);
    if (!group || group.last === null) return { sessions, highest };
    addGroup(sessions, group);
    highest = group.last;
  }
}

function addGroup(sessions: Sessions, group: Group): void {
  const list = <T>(column: Column) => JSON.parse(group[column]) as T[];
  const n = Object.fromEntries(numbers.map((column) => [column, list<number>(column)])) as {
    readonly [column in (typeof numbers)[number]]: number[];
  };
  const [keyIds, versions, regions, channels] = texts.map((column) => list<string>(column)) as [
    string[],
    string[],
    string[],
    string[],
  ];
  const count = keyIds.length;
  let keysAt = 0;
  for (let i = 0; i < count; i++) {
    const macVersion = versions[i] as MacVersion;
    const keysEnd = keysAt + (rules(macVersion).separateNetworkKeys ? keyOctets : 16);
    sessions.table.add({
      sessionId: n.session_id[i] as number,
      deviceId: n.device_id[i] as number,
      devAddr: n.dev_addr[i] as number,
      devEui: group.dev_eui.subarray(i * 8, i * 8 + 8),
      keys: group.keys.subarray(keysAt, keysEnd),
      sessionKeyId: keyIds[i] as string,
      macVersion,
      region: regionIndex(regions[i] as string),
      channelSet: sessions.channelSets.indexOf(channels[i] as string),
      isPending: n.is_pending[i] === 1,
      isJoined: n.is_joined[i] === 1,
      fCntUp: n.f_cnt_up[i] as number,
      nFCntDown: n.n_f_cnt_down[i] as number,
      aFCntDown: n.a_f_cnt_down[i] as number,
      confFCntDown: Math.max(n.conf_f_cnt_down[i] as number, 0),
      rxDelay: n.rx_delay[i] as number,
      rx1DrOffset: n.rx1_dr_offset[i] as number,
      rx2DataRate: n.rx2_data_rate[i] as number,
      rx2Hz: n.rx2_hz[i] as number,
    });
    keysAt = keysEnd;
  }
  group.keys.fill(0);
}

type Counters = { readonly f_cnt_up: number; readonly n_f_cnt_down: number; readonly a_f_cnt_down: number };

/** Counters only ever rise: the higher one of disk and memory holds. Walks the table for each session, so only for what should not happen. */
export function rereadCounters(store: Store<HotStatement>, { table }: Sessions, sessionIds: readonly number[]): void {
  const stored = store.read<Counters>("SELECT f_cnt_up, n_f_cnt_down, a_f_cnt_down FROM counter WHERE session_id = ?");
  for (const sessionId of sessionIds) {
    const slot = table.slotOf(sessionId);
    const row = stored.get(sessionId);
    if (slot === undefined || !row) continue;
    const raise = (column: Float64Array, value: number) => {
      column[slot] = Math.max(column[slot] as number, value);
    };
    raise(table.columns.fCntUp, row.f_cnt_up);
    raise(table.columns.nFCntDown, row.n_f_cnt_down);
    raise(table.columns.aFCntDown, row.a_f_cnt_down);
  }
}
