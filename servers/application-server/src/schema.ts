/**
 * The store of the application-server. Nothing is written for an uplink but its place in a batch's row of `log`; all else changes
 * with joins, downlinks and administration only. AppSKeys are at rest under this server's KEK.
 */
import type { StoreDefinition } from "@trefoil/store";

const version1 = `
CREATE TABLE application (
  application INTEGER PRIMARY KEY,
  application_id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  salt BLOB NOT NULL,                -- of the MQTT password, for scrypt
  hash BLOB NOT NULL
) STRICT;

CREATE TABLE device (
  device INTEGER PRIMARY KEY,
  dev_eui TEXT NOT NULL UNIQUE,
  join_eui TEXT,
  application INTEGER NOT NULL,
  device_id TEXT NOT NULL,
  UNIQUE (application, device_id)
) STRICT;

CREATE TABLE session (
  device INTEGER NOT NULL,
  session_key_id TEXT NOT NULL,
  kek_label TEXT NOT NULL,
  app_s_key BLOB NOT NULL,           -- wrapped (RFC 3394)
  is_current INTEGER NOT NULL,       -- 0 until the first uplink: the former session serves until then
  last_f_cnt_down INTEGER NOT NULL,  -- the highest counter that a plaintext was encrypted under, -1 for none
  ended_position INTEGER,            -- where in the log another one took its place: older uplinks still need it
  PRIMARY KEY (device, session_key_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_ended ON session (ended_position) WHERE ended_position IS NOT NULL;

-- Batches of events as they came, payloads encrypted. network_sequence: the network-server's number; NULL for this server's own.
-- total: events up to and with this batch, so that pruning finds its border without counting.
CREATE TABLE log (
  position INTEGER PRIMARY KEY,
  network_sequence INTEGER,
  at INTEGER NOT NULL,
  total INTEGER NOT NULL,
  events TEXT NOT NULL
) STRICT;
CREATE INDEX log_sequence ON log (network_sequence) WHERE network_sequence IS NOT NULL;
CREATE INDEX log_total ON log (total);

-- Uplinks whose key has not come yet.
CREATE TABLE unread (unread INTEGER PRIMARY KEY, device INTEGER NOT NULL, session_key_id TEXT NOT NULL, event TEXT NOT NULL) STRICT;
CREATE INDEX unread_of ON unread (device, session_key_id);

-- The downlink queue, and what was sent for as long as the log speaks of it. Payload in the clear.
CREATE TABLE downlink (
  queue_id TEXT PRIMARY KEY,
  ordinal INTEGER NOT NULL,
  device INTEGER NOT NULL,
  content TEXT NOT NULL,             -- JSON of DownlinkContent
  state TEXT NOT NULL CHECK (state IN ('waiting', 'counted', 'sent', 'withdrawing', 'done')),
  session_key_id TEXT,
  dev_addr TEXT,
  f_cnt_down INTEGER,
  done_position INTEGER
) STRICT;
CREATE INDEX downlink_open ON downlink (device, ordinal) WHERE state <> 'done';
CREATE INDEX downlink_done ON downlink (done_position) WHERE done_position IS NOT NULL;

-- MQTT sessions with CleanSession 0: cursors into the log.
CREATE TABLE mqtt_session (
  mqtt_session INTEGER PRIMARY KEY,
  application INTEGER NOT NULL,
  client_id TEXT NOT NULL,
  position INTEGER NOT NULL,         -- the first batch that is not wholly acknowledged,
  event INTEGER NOT NULL,            -- and the first event in it
  UNIQUE (application, client_id)
) STRICT;
CREATE TABLE mqtt_subscription (
  mqtt_session INTEGER NOT NULL,
  filter TEXT NOT NULL,
  qos INTEGER NOT NULL,
  since INTEGER NOT NULL,            -- position in the log when it was made
  PRIMARY KEY (mqtt_session, filter)
) STRICT, WITHOUT ROWID;
`;

const version2 = `
-- NULL: a session of a join, whose keys no other session has.
ALTER TABLE session ADD COLUMN dev_addr TEXT;
UPDATE session SET dev_addr = (SELECT dev_addr FROM downlink
  WHERE downlink.device = session.device AND downlink.session_key_id = session.session_key_id AND dev_addr IS NOT NULL LIMIT 1);

-- Of personalised devices that were deleted: made again with the same keys, they go on above this counter.
CREATE TABLE retired_counter (
  dev_eui TEXT NOT NULL,
  dev_addr TEXT NOT NULL,
  last_f_cnt_down INTEGER NOT NULL,
  PRIMARY KEY (dev_eui, dev_addr)
) STRICT, WITHOUT ROWID;
`;

const version3 = `
-- Sessions whose AppSKey the join server of this JoinEUI is to be asked for. Their app_s_key is empty until then.
CREATE TABLE wanted (
  device INTEGER NOT NULL,
  session_key_id TEXT NOT NULL,
  join_eui TEXT NOT NULL,
  PRIMARY KEY (device, session_key_id)
) STRICT, WITHOUT ROWID;
`;

/** Of sessions `which`, so that they can be deleted. */
const retireCounters = (which: string) =>
  `INSERT INTO retired_counter SELECT dev_eui, dev_addr, max(last_f_cnt_down) FROM session JOIN device USING (device) \
WHERE ${which} AND dev_addr IS NOT NULL AND last_f_cnt_down >= 0 GROUP BY dev_eui, dev_addr \
ON CONFLICT DO UPDATE SET last_f_cnt_down = max(last_f_cnt_down, excluded.last_f_cnt_down)`;

export const statements = {
  insertApplication: "INSERT INTO application VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
  deleteApplication: "DELETE FROM application WHERE application = ?1",

  insertDevice: "INSERT INTO device VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
  /** Directly after insertDevice, and only where that made a row. */
  insertAbpSession:
    "INSERT INTO session SELECT ?1, ?2, ?3, ?4, 1, coalesce((SELECT last_f_cnt_down FROM retired_counter WHERE dev_eui = ?5 AND dev_addr = ?6), -1), NULL, ?6 WHERE changes() = 1",
  /** Before `deleteDevice` and `deleteSessions`. */
  retireCounters: retireCounters("session.device = ?1"),
  deleteDevice: "DELETE FROM device WHERE device = ?1",
  deleteSessions: "DELETE FROM session WHERE device = ?1",
  deleteDownlinks: "DELETE FROM downlink WHERE device = ?1",
  deleteUnread: "DELETE FROM unread WHERE device = ?1",

  insertSession: "INSERT INTO session VALUES (?1, ?2, ?3, ?4, 0, -1, NULL, NULL) ON CONFLICT DO NOTHING",
  wantKey: "INSERT INTO wanted VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
  dropWanted: "DELETE FROM wanted WHERE device = ?1 AND session_key_id = ?2",
  deleteWanted: "DELETE FROM wanted WHERE device = ?1",
  setKey: "UPDATE session SET kek_label = ?3, app_s_key = ?4 WHERE device = ?1 AND session_key_id = ?2",
  endPending:
    "UPDATE session SET ended_position = ?3 WHERE device = ?1 AND session_key_id <> ?2 AND is_current = 0 AND ended_position IS NULL",
  makeCurrent: "UPDATE session SET is_current = 1, ended_position = NULL WHERE device = ?1 AND session_key_id = ?2",
  endOthers:
    "UPDATE session SET is_current = 0, ended_position = ?3 WHERE device = ?1 AND session_key_id <> ?2 AND ended_position IS NULL",
  /** Before `pruneSessions`. */
  retirePruned: retireCounters("ended_position < ?1"),
  pruneSessions: "DELETE FROM session WHERE ended_position < ?1",

  appendLog: "INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5)",
  pruneLog: "DELETE FROM log WHERE total <= ?1",
  keepUnread: "INSERT INTO unread (device, session_key_id, event) VALUES (?1, ?2, ?3)",
  dropUnread: "DELETE FROM unread WHERE unread = ?1",

  queueDownlink: "INSERT INTO downlink VALUES (?1, ?2, ?3, ?4, 'waiting', NULL, NULL, NULL, NULL)",
  /** Compare-and-set: a counter that is not above the last one changes no row, and nothing is encrypted under it. */
  claimCounter:
    "UPDATE session SET last_f_cnt_down = ?3 WHERE device = ?1 AND session_key_id = ?2 AND last_f_cnt_down < ?3",
  /** Directly after claimCounter, and only where that changed a row. */
  countDownlink:
    "UPDATE downlink SET state = 'counted', session_key_id = ?2, dev_addr = ?3, f_cnt_down = ?4 WHERE queue_id = ?1 AND state = 'waiting' AND changes() = 1",
  uncountDownlink: "UPDATE downlink SET state = 'waiting' WHERE queue_id = ?1 AND state = 'counted'",
  markDownlink: "UPDATE downlink SET state = ?2 WHERE queue_id = ?1 AND state <> 'done'",
  endDownlink: "UPDATE downlink SET state = 'done', done_position = ?2 WHERE queue_id = ?1",
  dropDownlink: "DELETE FROM downlink WHERE queue_id = ?1",
  pruneDownlinks: "DELETE FROM downlink WHERE done_position < ?1",

  insertMqttSession: "INSERT INTO mqtt_session VALUES (?1, ?2, ?3, ?4, ?5)",
  moveCursor: "UPDATE mqtt_session SET position = ?2, event = ?3 WHERE mqtt_session = ?1",
  deleteMqttSession: "DELETE FROM mqtt_session WHERE mqtt_session = ?1",
  subscribe: "INSERT INTO mqtt_subscription VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET qos = ?3",
  unsubscribe: "DELETE FROM mqtt_subscription WHERE mqtt_session = ?1 AND filter = ?2",
  unsubscribeAll: "DELETE FROM mqtt_subscription WHERE mqtt_session = ?1",
} as const;
export type HotStatement = keyof typeof statements;

export const store: StoreDefinition<HotStatement> = { migrations: [version1, version2, version3], statements };
