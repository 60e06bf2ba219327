/**
 * `trefoil restore`: a new data folder from a backup. Nonces of joins after the backup are lost, so the join-server is told to jump: it
 * never says a JoinNonce again that a device may have seen (DESIGN §4).
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Config } from "@trefoil/service";
import { UserError } from "../commands/output.ts";
import { waitAgain } from "../owner/statements.ts";
import { dataFormat, folderOf, prepareDataFolder, writePrivate } from "../supervisor/data-folder.ts";
import { rolesOf } from "../supervisor/processes.ts";
import { decideUsers, type Identity } from "../supervisor/users.ts";
import { type BackupRecord, backupFormat } from "./backup.ts";

/** More joins than one device makes between two backups. */
export const jumpJoinNonce = 1_024;

export type Restored = {
  readonly record: BackupRecord;
  /** Files that the network will not start, or the owner not sign, without. */
  readonly missing: readonly { readonly path: string; readonly what: string }[];
};

export function restoreBackup(config: Config, dataDir: string, from: string, passphraseFile?: string): Restored {
  const record = readBackup(from);
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0)
    throw new UserError(
      "restore/not-empty",
      `${dataDir} has files in it: a backup is restored into a new folder (--data)`,
    );
  if (record.engine !== config.vault.engine) {
    throw new UserError(
      "restore/other-engine",
      `the backup is of a vault with vault.engine ${record.engine}, the configuration says ${config.vault.engine}: set it as it was`,
    );
  }
  const users = decideUsers(dataDir, config.users);
  prepareDataFolder(dataDir, users, record.deployment);
  for (const role of rolesOf[record.deployment])
    copyAs(join(from, role), folderOf(dataDir, role), users.are === "separate" ? users.of[role] : undefined);
  copyAs(join(from, "owner"), join(dataDir, "owner"), undefined);
  // A vault that was restored from an older copy than the owner's record hears it all again; what it has, it refuses as not later.
  waitAgain(dataDir);
  const joinServer = users.are === "separate" ? users.of["join-server"] : undefined;
  const jump = { jumpJoinNonce, at: Date.now() };
  writePrivate(join(folderOf(dataDir, "join-server"), "restored.json"), `${JSON.stringify(jump)}\n`, joinServer);
  const passphrase = join(folderOf(dataDir, "vault"), "passphrase");
  if (passphraseFile !== undefined)
    writePrivate(
      passphrase,
      readFileSync(passphraseFile, "utf8"),
      users.are === "separate" ? users.of.vault : undefined,
    );
  return { record, missing: missingFiles(config, dataDir, record, passphrase) };
}

function missingFiles(config: Config, dataDir: string, { engine }: BackupRecord, passphrase: string) {
  const needed = [
    ...(engine === "software" && config.vault.passphraseFile === undefined
      ? [{ path: passphrase, what: "the vault's passphrase: it does not start without" }]
      : []),
    { path: join(dataDir, "owner", "owner.key"), what: "the realm owner's key: nothing can be signed without" },
    { path: join(dataDir, "owner", "ca.key"), what: "the private CA's key: no certificate can be made without" },
    { path: join(dataDir, "owner", "passphrase"), what: "the owner's passphrase: needed while signing" },
  ];
  return needed.filter(({ path }) => !existsSync(path));
}

function readBackup(from: string): BackupRecord {
  let record: BackupRecord;
  try {
    record = JSON.parse(readFileSync(join(from, "backup.json"), "utf8")) as BackupRecord;
  } catch {
    throw new UserError(
      "restore/no-backup",
      `${from} is no whole backup: backup.json, which is written last, cannot be read`,
    );
  }
  if (record.format !== backupFormat || record.dataFormat !== dataFormat)
    throw new UserError(
      "restore/other-version",
      `${from} was made by another version of Trefoil: restore it with that one`,
    );
  return record;
}

/** Copies a folder, for the user who shall own it. Links are not followed: there are none in what trefoil backup wrote. */
function copyAs(from: string, to: string, owner: Identity | undefined): void {
  mkdirSync(to, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    const entry = lstatSync(source);
    if (entry.isDirectory()) copyAs(source, target, owner);
    else if (entry.isFile()) {
      copyFileSync(source, target);
      chmodSync(target, 0o600);
    }
    if (owner && existsSync(target)) lchownSync(target, owner.uid, owner.gid);
  }
}
