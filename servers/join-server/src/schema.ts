/**
 * The store of the join-server. What a device may never forget (DevNonces, the last JoinNonce) lies in `history` and `dev_nonce`, which
 * outlive the device's row: a device that is deleted and created again goes on where it was.
 */
import type { StoreDefinition } from "@trefoil/store";

const version1 = `
CREATE TABLE history (
  history INTEGER PRIMARY KEY,
  dev_eui TEXT NOT NULL,
  join_eui TEXT NOT NULL,
  last_join_nonce INTEGER NOT NULL,
  last_dev_nonce INTEGER NOT NULL,   -- the highest one used, -1 for none
  UNIQUE (dev_eui, join_eui)
) STRICT;
CREATE TRIGGER join_nonce_never_goes_back BEFORE UPDATE OF last_join_nonce ON history
WHEN NEW.last_join_nonce < OLD.last_join_nonce
BEGIN SELECT raise(ABORT, 'JoinNonce never goes back'); END;

-- Every DevNonce that was ever used, and the JoinNonce that answered it (NULL: used elsewhere, before it came here).
CREATE TABLE dev_nonce (
  history INTEGER NOT NULL,
  dev_nonce INTEGER NOT NULL,
  join_nonce INTEGER,
  PRIMARY KEY (history, dev_nonce)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER join_nonce_rises BEFORE INSERT ON dev_nonce
WHEN NEW.join_nonce <= (SELECT last_join_nonce FROM history WHERE history = NEW.history)
BEGIN SELECT raise(ABORT, 'JoinNonce rises with every join'); END;

CREATE TABLE device (
  dev_eui TEXT PRIMARY KEY,
  history INTEGER NOT NULL,
  join_eui TEXT NOT NULL,
  mac_version TEXT NOT NULL,
  net_id TEXT NOT NULL,
  as_id TEXT NOT NULL,
  blobs TEXT NOT NULL                -- JSON RootKeyBlobs: only the vault opens them
) STRICT, WITHOUT ROWID;

-- The latest answer of each device: key envelopes and an encrypted join-accept.
CREATE TABLE answer (
  history INTEGER PRIMARY KEY,
  peer TEXT NOT NULL,
  request BLOB NOT NULL,
  body TEXT NOT NULL
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

const ofDevice = "FROM history WHERE dev_eui = ?1 AND join_eui = ?2";

export const schema = {
  migrations: [version1],
  statements: {
    // A join: all three in one unit. The first fails the unit where another join won.
    claimDevNonce: "INSERT INTO dev_nonce (history, dev_nonce, join_nonce) VALUES (?1, ?2, ?3)",
    claimJoinNonce:
      "UPDATE history SET last_join_nonce = ?2, last_dev_nonce = max(last_dev_nonce, ?3) WHERE history = ?1",
    keepAnswer: "INSERT OR REPLACE INTO answer (history, peer, request, body) VALUES (?1, ?2, ?3, ?4)",

    addHistory: `INSERT INTO history (dev_eui, join_eui, last_join_nonce, last_dev_nonce) VALUES (?1, ?2, ?3, ?4)
      ON CONFLICT (dev_eui, join_eui) DO UPDATE SET
        last_join_nonce = max(last_join_nonce, excluded.last_join_nonce), last_dev_nonce = max(last_dev_nonce, excluded.last_dev_nonce)`,
    addUsedDevNonce: `INSERT OR IGNORE INTO dev_nonce (history, dev_nonce) SELECT history, ?3 ${ofDevice}`,
    addDevice: `INSERT INTO device (dev_eui, history, join_eui, mac_version, net_id, as_id, blobs) SELECT ?1, history, ?2, ?3, ?4, ?5, ?6 ${ofDevice}`,
    deleteDevice: "DELETE FROM device WHERE dev_eui = ?1",

    forgetDevNonces: "DELETE FROM dev_nonce WHERE history = ?1",
    forgetLastDevNonce: "UPDATE history SET last_dev_nonce = -1 WHERE history = ?1",
    forgetAnswer: "DELETE FROM answer WHERE history = ?1",

    audit: "INSERT INTO audit (at, kind, dev_eui, detail) VALUES (?1, ?2, ?3, ?4)",
  },
} as const satisfies StoreDefinition;

export type Statement = keyof typeof schema.statements;
