/**
 * The store of the join-server. What a device may never forget (DevNonces, rejoin frames, the last JoinNonce) lies in `history`,
 * `dev_nonce` and `rejoin`, which outlive the device's row: a device that is deleted and created again goes on where it was.
 * A claim that finds its nonce used makes a NULL where there may be none, and fails its unit: compare-and-set, also across processes.
 */
import type { StoreDefinition } from "@trefoil/store";

const version2 = `
CREATE TABLE history (
  history INTEGER PRIMARY KEY,
  dev_eui TEXT NOT NULL,
  join_eui TEXT NOT NULL,
  last_join_nonce INTEGER NOT NULL,
  last_dev_nonce INTEGER NOT NULL,   -- the highest one used, -1 for none
  rj_count0 INTEGER NOT NULL,        -- the last one of types 0 and 2 since the last join, -1 for none
  rj_count1 INTEGER NOT NULL,        -- the highest one of type 1 ever, -1 for none
  UNIQUE (dev_eui, join_eui)
) STRICT;
CREATE TRIGGER join_nonce_never_goes_back BEFORE UPDATE OF last_join_nonce ON history
WHEN NEW.last_join_nonce < OLD.last_join_nonce
BEGIN SELECT raise(ABORT, 'JoinNonce never goes back'); END;
CREATE TRIGGER rj_count1_never_goes_back BEFORE UPDATE OF rj_count1 ON history
WHEN NEW.rj_count1 < OLD.rj_count1
BEGIN SELECT raise(ABORT, 'RJcount1 never goes back'); END;

-- Every DevNonce that was ever used.
CREATE TABLE dev_nonce (
  history INTEGER NOT NULL,
  dev_nonce INTEGER NOT NULL,
  PRIMARY KEY (history, dev_nonce)
) STRICT, WITHOUT ROWID;

-- Every rejoin-request of types 0 and 2 that was answered: RJcount0 starts again with each join-accept, the frame never comes again.
CREATE TABLE rejoin (
  history INTEGER NOT NULL,
  frame BLOB NOT NULL,
  PRIMARY KEY (history, frame)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
  dev_eui TEXT PRIMARY KEY,
  history INTEGER NOT NULL,
  join_eui TEXT NOT NULL,
  mac_version TEXT NOT NULL,
  provenance TEXT NOT NULL,          -- as the vault said it
  blobs TEXT                         -- JSON RootKeyBlobs: only the vault opens them. NULL: derived from a master key
) STRICT, WITHOUT ROWID;

-- Counting devices reads this, not their blobs.
CREATE INDEX device_of_history ON device (history);

-- The latest answer of each device: key envelopes and an encrypted join-accept; and the AppSKeys of its last sessions, in envelopes,
-- for the application server that asks. One row for each device, because it is written with each join.
CREATE TABLE answer (
  history INTEGER PRIMARY KEY,
  peer TEXT NOT NULL,                -- empty: no request is answered with it again
  request BLOB NOT NULL,
  body TEXT NOT NULL,
  sessions TEXT NOT NULL             -- JSON KeptSession[], the latest first
) STRICT;

-- The last entry of each process of the vault that this store knows of.
CREATE TABLE vault_entry (
  instance INTEGER PRIMARY KEY,
  entry INTEGER NOT NULL,
  hash TEXT NOT NULL                 -- of that line, which all before it went into
) STRICT;

CREATE TABLE audit (
  entry INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  dev_eui TEXT,
  detail TEXT NOT NULL               -- JSON
) STRICT;
CREATE INDEX audit_of_device ON audit (dev_eui);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is kept'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is kept'); END;
`;
/** Each restore of a whole machine, and how far JoinNonces have jumped for devices that the backup did not know. */
const version3 = `
CREATE TABLE restored (
  at INTEGER PRIMARY KEY,
  join_nonce_floor INTEGER NOT NULL
) STRICT;
`;
/** Stores of the first format were never released: they have tables that version 2 would make, and are refused. */
const version1 = "";

const ofDevice = "FROM history WHERE dev_eui = ?1 AND join_eui = ?2";
const andDevice = "WHERE dev_eui = ?1 AND join_eui = ?2";
const risen = "CASE WHEN last_join_nonce < ?3 THEN ?3 END";

export const schema = {
  migrations: [version1, version2, version3],
  statements: {
    // A claim: all of its rows in one unit, which fails as a whole where another claim won. ?1 DevEUI, ?2 JoinEUI.
    claimDevNonce: `INSERT INTO dev_nonce (history, dev_nonce) SELECT history, ?3 ${ofDevice}`,
    claimJoin: `UPDATE history SET last_join_nonce = ${risen}, last_dev_nonce = max(last_dev_nonce, ?4), rj_count0 = -1 ${andDevice}`,
    claimRejoinFrame: `INSERT INTO rejoin (history, frame) SELECT history, ?3 ${ofDevice}`,
    claimRejoin02: `UPDATE history SET last_join_nonce = ${risen}, rj_count0 = ?4 ${andDevice}`,
    claimRejoin1: `UPDATE history SET last_join_nonce = ${risen}, rj_count1 = CASE WHEN rj_count1 < ?4 THEN ?4 END ${andDevice}`,
    keepAnswer: `INSERT OR REPLACE INTO answer (history, peer, request, body, sessions) SELECT history, ?3, ?4, ?5, ?6 ${ofDevice}`,
    knowVaultEntry: `INSERT INTO vault_entry (instance, entry, hash) VALUES (?1, ?2, ?3)
      ON CONFLICT (instance) DO UPDATE SET entry = excluded.entry, hash = excluded.hash WHERE excluded.entry > entry`,
    correctVaultEntry: "INSERT OR REPLACE INTO vault_entry (instance, entry, hash) VALUES (?1, ?2, ?3)",

    jumpJoinNonces: "UPDATE history SET last_join_nonce = min(last_join_nonce + ?1, 0xffffff)",
    noteRestore: "INSERT INTO restored (at, join_nonce_floor) VALUES (?1, ?2)",

    addHistory: `INSERT INTO history (dev_eui, join_eui, last_join_nonce, last_dev_nonce, rj_count0, rj_count1) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
      ON CONFLICT (dev_eui, join_eui) DO UPDATE SET
        last_join_nonce = max(last_join_nonce, excluded.last_join_nonce), last_dev_nonce = max(last_dev_nonce, excluded.last_dev_nonce),
        rj_count0 = max(rj_count0, excluded.rj_count0), rj_count1 = max(rj_count1, excluded.rj_count1)`,
    addUsedDevNonce: `INSERT OR IGNORE INTO dev_nonce (history, dev_nonce) SELECT history, ?3 ${ofDevice}`,
    addDevice: `INSERT INTO device (dev_eui, history, join_eui, mac_version, provenance, blobs) SELECT ?1, history, ?2, ?3, ?4, ?5 ${ofDevice}`,
    deleteDevice: "DELETE FROM device WHERE dev_eui = ?1",

    forgetDevNonces: "DELETE FROM dev_nonce WHERE history = ?1",
    forgetLastDevNonce: "UPDATE history SET last_dev_nonce = -1 WHERE history = ?1",
    forgetAnswer: "UPDATE answer SET peer = '', body = '' WHERE history = ?1",
    deleteAnswer: "DELETE FROM answer WHERE history = ?1",

    audit: "INSERT INTO audit (at, kind, dev_eui, detail) VALUES (?1, ?2, ?3, ?4)",
  },
} as const satisfies StoreDefinition;

export type Statement = keyof typeof schema.statements;
