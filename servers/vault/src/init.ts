/**
 * Makes a vault, as a process of its own, run as the vault's user: nobody else ever holds its keys.
 *
 * Standard input: one JSON `InitOrder`. Standard output: one JSON `VaultInfo`, all of it public. Failure: one sentence on standard error,
 * exit code 1.
 */
import { text } from "node:stream/consumers";
import { becomeUser } from "@trefoil/service";
import { type EngineConfig, pkcs11Options } from "./engine.ts";
import { initPkcs11, loadAddOn } from "./pkcs11/index.ts";
import { initVault } from "./vault-file.ts";

/** Of the engine as the `vault` section of the configuration has it; all absent: software, with a passphrase of its own. */
export type InitOrder = Partial<EngineConfig> & {
  readonly dataDir: string;
  readonly ownerPublicKey: string;
  readonly identity?: { readonly uid: number; readonly gid: number };
};

function init({ dataDir, ownerPublicKey, engine, passphraseFile, pkcs11, identity }: InitOrder) {
  if (engine === "pkcs11") loadAddOn(); // the code may lie where the vault's user cannot read
  if (identity !== undefined) becomeUser(identity);
  process.umask(0o077);
  if (engine === "pkcs11") return initPkcs11({ dataDir, ownerPublicKey, pkcs11: pkcs11Options(pkcs11 ?? {}) });
  return initVault({ dataDir, ownerPublicKey, ...(passphraseFile === undefined ? {} : { passphraseFile }) });
}

try {
  process.stdout.write(`${JSON.stringify(init(JSON.parse(await text(process.stdin)) as InitOrder))}\n`);
} catch (error) {
  const { code = "unknown", message } = error as { readonly code?: string; readonly message: string };
  process.stderr.write(`the vault was not made: ${message} (${code})\n`);
  process.exitCode = 1;
}
