/** What the vault's processes need that others do not: the file of its passphrase or PIN, and the token's add-on. */
import { join } from "node:path";
import type { Config } from "@trefoil/service";
import { UserError } from "../commands/output.ts";

type VaultSettings = Config["vault"];
const credential = "credential:";

/** `credential:NAME` becomes the path that systemd gave (LoadCredential=, $CREDENTIALS_DIRECTORY). Only the path: nothing is read here. */
function pathOf(named: string, setting: string): string {
  if (!named.startsWith(credential)) return named;
  const folder = process.env.CREDENTIALS_DIRECTORY;
  if (folder === undefined)
    throw new UserError(
      "config/no-credentials",
      `${setting} is ${named}, but systemd gave no credentials ($CREDENTIALS_DIRECTORY is not set): add LoadCredential= to the unit`,
    );
  return join(folder, named.slice(credential.length));
}

/** The vault's settings with every file as a path. */
export function vaultSettings({ passphraseFile, pkcs11, ...rest }: VaultSettings): VaultSettings {
  const { pinFile } = pkcs11;
  return {
    ...rest,
    ...(passphraseFile === undefined ? {} : { passphraseFile: pathOf(passphraseFile, "vault.passphraseFile") }),
    pkcs11: { ...pkcs11, ...(pinFile === undefined ? {} : { pinFile: pathOf(pinFile, "vault.pkcs11.pinFile") }) },
  };
}

/** Node's arguments for a process of the vault (docs/hsm.md). Only with a token may it load native code; the module's variables it sets itself. */
export function vaultFlags(settings: VaultSettings): readonly string[] {
  const { engine, passphraseFile, pkcs11 } = vaultSettings(settings);
  const file = engine === "pkcs11" ? pkcs11.pinFile : passphraseFile;
  return [
    ...(file === undefined ? [] : [`--allow-fs-read=${file}`]),
    ...(engine === "pkcs11" ? ["--allow-addons", "--disable-warning=PERM0001"] : []),
  ];
}
