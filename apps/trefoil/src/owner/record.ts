/**
 * What initialisation fixed for good, kept in the owner's folder, where no server can change it: fingerprints of those that keys may be
 * sealed to, the key that signs the audit log, and the network and AS-ID that certificates and KEKs are bound to.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { networkText, parseReceiver, type Receiver } from "@trefoil/custody";
import type { Config } from "@trefoil/service";
import type { NetworkId, Role } from "@trefoil/wire";
import { UserError } from "../commands/output.ts";
import { writePrivate } from "../supervisor/data-folder.ts";
import type { Deployment } from "../supervisor/processes.ts";

export const realmFormat = 2;

export type RealmRecord = {
  readonly format: typeof realmFormat;
  readonly deployment: Deployment;
  /** SHA-256 of the owner's public key, hex. */
  readonly owner: string;
  /** SHA-256 of the public keys that may receive sealed keys, by the server that answers for them: the join-server for its vault. */
  readonly receivers: { readonly [role in Role]?: string };
  /** The vault's own public key (SubjectPublicKeyInfo in base64), and the one that signs the heads of its audit log. */
  readonly vault: { readonly publicKey: string; readonly auditKey: string };
  /** Of a whole network; a Join Server alone has none of its own. */
  readonly network?: NetworkId;
  readonly asId?: string;
};

const fileOf = (dataDir: string) => join(dataDir, "owner", "realm.json");

export const isInitialised = (dataDir: string) => existsSync(fileOf(dataDir));
export const writeRecord = (dataDir: string, record: RealmRecord) =>
  writePrivate(fileOf(dataDir), `${JSON.stringify(record)}\n`);

export function readRecord(dataDir: string): RealmRecord {
  let record: RealmRecord;
  try {
    record = JSON.parse(readFileSync(fileOf(dataDir), "utf8")) as RealmRecord;
  } catch {
    throw new UserError(
      "owner/record-missing",
      `${fileOf(dataDir)} cannot be read: without it nothing can be sealed safely`,
    );
  }
  if (record.format !== realmFormat)
    throw new UserError("owner/record-version", `${fileOf(dataDir)} was written by another version of Trefoil`);
  return record;
}

/** The fingerprint of the realm's vault: what statements are for, and what keys are sealed to. */
export const vaultFingerprint = (record: RealmRecord): string => record.receivers["join-server"] ?? "";

/** The realm's vault, as the owner saw it made. */
export function pinnedVault(record: RealmRecord): Receiver {
  const vault = parseReceiver(record.vault.publicKey);
  if (vault?.fingerprint !== vaultFingerprint(record))
    throw new UserError(
      "owner/record-damaged",
      "realm.json names a vault whose key is another: restore it from your copy",
    );
  return vault;
}

export const networkOf = ({ netId, nsId }: Config["network"]): NetworkId => ({
  netId: netId.toLowerCase(),
  ...(nsId === undefined ? {} : { nsId: nsId.toLowerCase() }),
});

/** Certificates and KEKs are bound to both: changing them in the configuration would make every join fail. */
export function checkRealm(dataDir: string, configured: Config["network"]): void {
  const { network, asId } = readRecord(dataDir);
  for (const [key, made, now] of [
    ["network.netId (with network.nsId)", network && networkText(network), networkText(networkOf(configured))],
    ["network.asId", asId, configured.asId],
  ] as const) {
    if (made !== undefined && made !== now) {
      throw new UserError(
        "config/other-realm",
        `${key} is ${now}, but this data folder's realm was made for ${made}: set it back, or begin a new data folder`,
      );
    }
  }
}
