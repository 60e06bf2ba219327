/**
 * Makes a vault, as a process of its own, run as the vault's user: nobody else ever holds its keys.
 *
 * Standard input: one JSON `{ dataDir, ownerPublicKey, passphraseFile?, identity?: { uid, gid } }`. Standard output: one JSON `VaultInfo`,
 * all of it public. Failure: one sentence on standard error, exit code 1.
 */
import { text } from "node:stream/consumers";
import { becomeUser } from "@trefoil/service";
import { type InitVault, initVault } from "./vault-file.ts";

type Order = InitVault & { readonly identity?: { readonly uid: number; readonly gid: number } };

try {
  const { identity, ...order } = JSON.parse(await text(process.stdin)) as Order;
  if (identity !== undefined) becomeUser(identity);
  process.umask(0o077);
  process.stdout.write(`${JSON.stringify(initVault(order))}\n`);
} catch (error) {
  const { code = "unknown", message } = error as { readonly code?: string; readonly message: string };
  process.stderr.write(`the vault was not made: ${message} (${code})\n`);
  process.exitCode = 1;
}
