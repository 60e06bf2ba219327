/** What the vault's processes need that others do not: the file of its passphrase or PIN, and the token's add-on. */
import { chmodSync, chownSync, copyFileSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "@trefoil/service";
import { UserError } from "../commands/output.ts";
import type { Identity, Users } from "./users.ts";

type VaultSettings = Config["vault"];
const credential = "credential:";
/** In memory, and gone with the machine's power, as systemd's own credentials are. */
const stagingFolder = "/run/trefoil-credentials";

/**
 * `credential:NAME` becomes a path. systemd lets only the service's own user read its credentials: for a vault with a user of its own
 * they are copied, by the kernel and within memory, to where that user can. This process never has the secret.
 */
function pathOf(named: string, setting: string, vaultUser: Identity | undefined): string {
  if (!named.startsWith(credential)) return named;
  const folder = process.env.CREDENTIALS_DIRECTORY;
  if (folder === undefined) {
    throw new UserError(
      "config/no-credentials",
      `${setting} is ${named}, but systemd gave no credentials ($CREDENTIALS_DIRECTORY is not set): add LoadCredential= to the unit`,
    );
  }
  const name = named.slice(credential.length);
  return vaultUser ? stage(join(folder, name), name, vaultUser) : join(folder, name);
}

function stage(from: string, name: string, { uid, gid }: Identity): string {
  mkdirSync(stagingFolder, { recursive: true, mode: 0o711 });
  const folder = join(stagingFolder, `${uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chownSync(folder, uid, gid);
  const to = join(folder, name);
  try {
    copyFileSync(from, `${to}.new`);
  } catch {
    throw new UserError(
      "config/no-credentials",
      `systemd gave no credential ${name}: add LoadCredential=${name}:… to the unit`,
    );
  }
  chmodSync(`${to}.new`, 0o400);
  chownSync(`${to}.new`, uid, gid);
  renameSync(`${to}.new`, to);
  return to;
}

/** The vault's settings with every file as a path that the vault's user can read. */
export function vaultSettings({ passphraseFile, pkcs11, ...rest }: VaultSettings, users: Users): VaultSettings {
  const { pinFile } = pkcs11;
  const user = users.are === "separate" ? users.of.vault : undefined;
  return {
    ...rest,
    ...(passphraseFile === undefined ? {} : { passphraseFile: pathOf(passphraseFile, "vault.passphraseFile", user) }),
    pkcs11: { ...pkcs11, ...(pinFile === undefined ? {} : { pinFile: pathOf(pinFile, "vault.pkcs11.pinFile", user) }) },
  };
}

/** Node's arguments for a process of the vault (docs/hsm.md). Only with a token may it load native code; the module's variables it sets itself. */
export function vaultFlags({ engine, passphraseFile, pkcs11 }: VaultSettings): readonly string[] {
  const file = engine === "pkcs11" ? pkcs11.pinFile : passphraseFile;
  return [
    ...(file === undefined ? [] : [`--allow-fs-read=${file}`]),
    ...(engine === "pkcs11" ? ["--allow-addons", "--disable-warning=PERM0001"] : []),
  ];
}
