/**
 * The store of the network-server. What changes with every uplink is one narrow row of `counter`, found by an integer;
 * everything else of a session is written when it is made.
 */
import type { StoreDefinition } from "@trefoil/store";

const version1 = `
CREATE TABLE device (
  device_id INTEGER PRIMARY KEY,
  dev_eui BLOB NOT NULL UNIQUE,
  join_eui BLOB,
  mac_version TEXT NOT NULL,
  region TEXT NOT NULL,
  as_id TEXT NOT NULL
) STRICT;

CREATE TABLE session (
  session_id INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL,
  is_pending INTEGER NOT NULL,       -- 1 until the first valid uplink: the former session serves until then
  is_joined INTEGER NOT NULL,        -- 0: personalised
  dev_addr INTEGER NOT NULL,
  session_key_id TEXT NOT NULL UNIQUE,
  mac_version TEXT NOT NULL,         -- of this session: what was agreed when it was made
  region TEXT NOT NULL,
  keys BLOB NOT NULL,                -- NwkSKey, or FNwkSIntKey, SNwkSIntKey, NwkSEncKey
  rx_delay INTEGER NOT NULL,
  rx1_dr_offset INTEGER NOT NULL,
  rx2_data_rate INTEGER NOT NULL,
  rx2_hz INTEGER NOT NULL,
  channels TEXT NOT NULL             -- JSON: frequencies that the device got beyond the region's defaults
) STRICT;
CREATE INDEX session_of_device ON session (device_id);

CREATE TABLE counter (
  session_id INTEGER PRIMARY KEY,
  f_cnt_up INTEGER NOT NULL,         -- the highest accepted, -1 for none
  n_f_cnt_down INTEGER NOT NULL,     -- the next one to use (1.0.x: the only downlink counter)
  a_f_cnt_down INTEGER NOT NULL,
  conf_f_cnt_down INTEGER NOT NULL   -- 1.1: the confirmed downlink that an ACK would refer to
) STRICT;

-- An application downlink on its way: at most one for a device.
CREATE TABLE downlink (
  device_id INTEGER PRIMARY KEY,
  session_id INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('offered', 'sending')),
  queue_id TEXT NOT NULL,
  f_cnt_down INTEGER NOT NULL,
  f_port INTEGER NOT NULL,
  confirmed INTEGER NOT NULL,
  more INTEGER NOT NULL,
  frm_payload BLOB NOT NULL          -- encrypted by the application-server
) STRICT;

-- A confirmed downlink that was sent: the device's next uplink says whether it arrived.
CREATE TABLE awaited (
  device_id INTEGER PRIMARY KEY,
  session_id INTEGER NOT NULL,
  queue_id TEXT NOT NULL,
  f_cnt_down INTEGER NOT NULL
) STRICT;

-- total: events up to and with this batch, so that pruning finds its border without counting.
CREATE TABLE outbox (sequence INTEGER PRIMARY KEY, events TEXT NOT NULL, total INTEGER NOT NULL) STRICT;
CREATE INDEX outbox_total ON outbox (total);
CREATE TABLE cursor (name TEXT PRIMARY KEY, sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

const version2 = `
-- Events that the application-server refused for good: kept for whoever asks why, so that those behind them go on.
CREATE TABLE quarantine (
  quarantine_id INTEGER PRIMARY KEY,
  sequence INTEGER NOT NULL,
  event TEXT NOT NULL,
  code TEXT NOT NULL
) STRICT;

-- The next downlink counters of personalised sessions that were deleted: the same keys may come again, a counter never.
CREATE TABLE spent_counter (
  dev_eui BLOB NOT NULL,
  dev_addr INTEGER NOT NULL,
  n_f_cnt_down INTEGER NOT NULL,
  a_f_cnt_down INTEGER NOT NULL,
  PRIMARY KEY (dev_eui, dev_addr)
) STRICT, WITHOUT ROWID;
`;

const version3 = `
-- Of the few sessions that send rejoin-requests of types 0 and 2, or shall.
CREATE TABLE rejoin (
  session_id INTEGER PRIMARY KEY,
  rj_count0 INTEGER NOT NULL,        -- the highest accepted, -1 for none
  is_asked INTEGER NOT NULL          -- 1: type 2 was asked for, and is answered
) STRICT;
`;

export const statements = {
  /**
   * Claims FCntUp: compare-and-set. A counter that was claimed already makes the value NULL, which the column refuses:
   * the whole unit fails, with its event. Downlink counters only ever rise.
   */
  claim:
    "UPDATE counter SET f_cnt_up = iif(f_cnt_up < ?2, ?2, NULL), n_f_cnt_down = max(n_f_cnt_down, ?3), a_f_cnt_down = max(a_f_cnt_down, ?4) WHERE session_id = ?1",
  /** Reserves downlink counters, for answers to retransmissions and for application downlinks. */
  reserve:
    "UPDATE counter SET n_f_cnt_down = max(n_f_cnt_down, ?2), a_f_cnt_down = max(a_f_cnt_down, ?3) WHERE session_id = ?1",
  confirmDownlink: "UPDATE counter SET conf_f_cnt_down = ?2 WHERE session_id = ?1",

  /** RJcount0, by compare-and-set as `claim`. Nothing for a session that has ended: its number may come again. */
  claimRejoin:
    "INSERT INTO rejoin SELECT session_id, ?2, 0 FROM session WHERE session_id = ?1 ON CONFLICT DO UPDATE SET rj_count0 = iif(rj_count0 < ?2, ?2, NULL)",
  askRejoin:
    "INSERT INTO rejoin SELECT session_id, -1, 1 FROM session WHERE session_id = ?1 ON CONFLICT DO UPDATE SET is_asked = 1",
  deleteRejoin: "DELETE FROM rejoin WHERE session_id = ?1",

  appendEvents:
    "INSERT INTO outbox (events, total) SELECT ?1, ?2 + coalesce((SELECT total FROM outbox ORDER BY sequence DESC LIMIT 1), 0)",
  moveCursor: "INSERT INTO cursor VALUES (?1, ?2) ON CONFLICT DO UPDATE SET sequence = max(sequence, ?2)",
  /** Never the youngest batch: its number is where numbering goes on. */
  pruneOutbox:
    "DELETE FROM outbox WHERE sequence <= ?1 AND total <= (SELECT total FROM outbox ORDER BY sequence DESC LIMIT 1) - ?2 AND sequence < (SELECT max(sequence) FROM outbox)",
  /** What is left of a batch that the application-server takes only in part. */
  shortenBatch: "UPDATE outbox SET events = ?2 WHERE sequence = ?1",
  quarantine: "INSERT INTO quarantine (sequence, event, code) VALUES (?1, ?2, ?3)",

  insertDevice: "INSERT INTO device VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
  deleteDevice: "DELETE FROM device WHERE device_id = ?1",
  insertSession: "INSERT INTO session VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
  insertCounter: "INSERT INTO counter VALUES (?1, ?2, ?3, ?4, -1)",
  activateSession: "UPDATE session SET is_pending = 0 WHERE session_id = ?1",
  deleteSession: "DELETE FROM session WHERE session_id = ?1",
  deleteCounter: "DELETE FROM counter WHERE session_id = ?1",
  keepSpentCounter:
    "INSERT INTO spent_counter VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET n_f_cnt_down = max(n_f_cnt_down, ?3), a_f_cnt_down = max(a_f_cnt_down, ?4)",

  offerDownlink: "INSERT OR REPLACE INTO downlink VALUES (?1, ?2, 'offered', ?3, ?4, ?5, ?6, ?7, ?8)",
  sendDownlink: "UPDATE downlink SET state = 'sending' WHERE device_id = ?1",
  deleteDownlink: "DELETE FROM downlink WHERE device_id = ?1",
  awaitAck: "INSERT OR REPLACE INTO awaited VALUES (?1, ?2, ?3, ?4)",
  deleteAwaited: "DELETE FROM awaited WHERE device_id = ?1",
} as const;
export type HotStatement = keyof typeof statements;

export const store: StoreDefinition<HotStatement> = { migrations: [version1, version2, version3], statements };
