/** `trefoil backup`: consistent copies of every server's folder, made by that server's own user, and the public part of the owner's. */
import { chownSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "@trefoil/service";
import type { Role } from "@trefoil/wire";
import { UserError } from "../commands/output.ts";
import { askChild } from "../init/ask-child.ts";
import { readRecord, vaultFingerprint } from "../owner/record.ts";
import { dataFormat, folderOf } from "../supervisor/data-folder.ts";
import { rolesOf } from "../supervisor/processes.ts";
import { decideUsers } from "../supervisor/users.ts";
import type { Copied, CopyOrder } from "./copy-server.ts";

export const backupFormat = 1;
export type BackupRecord = {
  readonly format: typeof backupFormat;
  readonly dataFormat: number;
  readonly deployment: keyof typeof rolesOf;
  readonly at: number;
  readonly vault: string;
  readonly engine: Config["vault"]["engine"];
};
export type Backup = { readonly to: string; readonly files: number; readonly record: BackupRecord };

const copyServer = fileURLToPath(new URL("./copy-server.ts", import.meta.url));
/** What opens the rest must not lie beside it. */
const secretsOfOwner = ["owner.key", "ca.key", "passphrase"];
const secretsOfVault = ["passphrase"];

/** The vault last: a store that is older than the vault finds out what it lost, the other way round nobody would. */
const inOrder = (roles: readonly Role[]): readonly Role[] => [...roles.filter((role) => role !== "vault"), "vault"];

export async function makeBackup(config: Config, dataDir: string, to: string): Promise<Backup> {
  const realm = readRecord(dataDir);
  if (existsSync(to) && readdirSync(to).length > 0)
    throw new UserError("backup/not-empty", `${to} has files in it: choose a new folder for each backup`);
  mkdirSync(to, { recursive: true, mode: 0o700 });
  const users = decideUsers(dataDir, config.users);
  let files = 0;
  for (const role of inOrder(rolesOf[realm.deployment])) {
    const from = folderOf(dataDir, role);
    const order: CopyOrder = {
      dataDir: from,
      leaveOut: role === "vault" ? secretsOfVault : [],
      ...(users.are === "separate" ? { identity: users.of[role] } : {}),
    };
    const copied = await askChild<Copied>({
      program: copyServer,
      dataDir: from,
      order,
      failure: { code: "backup/failed", text: `the ${role}'s folder could not be copied` },
    });
    // From the server's folder, which other users cannot enter, to where the backup goes, which the server's user perhaps cannot.
    cpSync(copied.folder, join(to, role), { recursive: true, dereference: false });
    rmSync(copied.folder, { recursive: true, force: true });
    files += copied.files;
  }
  files += copyOwner(join(dataDir, "owner"), join(to, "owner"));
  const record: BackupRecord = {
    format: backupFormat,
    dataFormat,
    deployment: realm.deployment,
    at: Date.now(),
    vault: vaultFingerprint(realm),
    engine: config.vault.engine,
  };
  writeFileSync(join(to, "backup.json"), `${JSON.stringify(record)}\n`, { mode: 0o600, flush: true });
  if (process.getuid?.() === 0) ownAll(to);
  return { to, files, record };
}

function copyOwner(from: string, to: string): number {
  cpSync(from, to, { recursive: true, filter: (path) => !secretsOfOwner.some((name) => path === join(from, name)) });
  return readdirSync(to, { recursive: true }).length;
}

/** The backup is its maker's: copies keep the ids of no server. */
function ownAll(folder: string): void {
  chownSync(folder, 0, 0);
  for (const name of readdirSync(folder, { recursive: true })) chownSync(join(folder, String(name)), 0, 0);
}
