/**
 * What initialisation fixed for good, kept in the owner's folder, where no server can change it: fingerprints of those that keys may be
 * sealed to, and the NetID and AS-ID that certificates and KEKs are bound to.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Role } from "@trefoil/wire";
import { UserError } from "../commands/output.ts";
import { writePrivate } from "../supervisor/data-folder.ts";

export type RealmRecord = {
  /** SHA-256 of the owner's public key, hex. */
  readonly owner: string;
  /** SHA-256 of the public keys that may receive sealed keys, by the server that answers for them: the join-server for its vault. */
  readonly receivers: { readonly [role in Role]?: string };
  readonly netId: string;
  readonly asId: string;
};

const fileOf = (dataDir: string) => join(dataDir, "owner", "realm.json");

export const isInitialised = (dataDir: string) => existsSync(fileOf(dataDir));
export const writeRecord = (dataDir: string, record: RealmRecord) =>
  writePrivate(fileOf(dataDir), `${JSON.stringify(record)}\n`);

export function readRecord(dataDir: string): RealmRecord {
  try {
    return JSON.parse(readFileSync(fileOf(dataDir), "utf8")) as RealmRecord;
  } catch {
    throw new UserError(
      "owner/record-missing",
      `${fileOf(dataDir)} cannot be read: without it nothing can be sealed safely`,
    );
  }
}

/** Certificates and KEKs are bound to both: changing them in the configuration would make every join fail. */
export function checkRealm(dataDir: string, network: { readonly netId: string; readonly asId: string }): void {
  const { netId, asId } = readRecord(dataDir);
  for (const [key, made, now] of [
    ["network.netId", netId, network.netId.toLowerCase()],
    ["network.asId", asId, network.asId],
  ] as const) {
    if (made !== now) {
      throw new UserError(
        "config/other-realm",
        `${key} is ${now}, but this data folder's realm was made for ${made}: set it back, or begin a new data folder`,
      );
    }
  }
}
