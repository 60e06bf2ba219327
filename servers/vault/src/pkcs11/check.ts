/**
 * `trefoil vault check`, as a process of its own, run as the vault's user.
 *
 * Standard input: one JSON `{ pkcs11, identity?: { uid, gid } }`. Standard output: one JSON
 * `{ usable, rows: { name, needed, works, remark }[] }`, all of it public. Failure to try anything: one sentence on standard error, exit code 1.
 */
import { text } from "node:stream/consumers";
import { becomeUser } from "@trefoil/service";
import { checkModule } from "./check-module.ts";
import type { Pkcs11Options } from "./init.ts";
import { loadAddOn } from "./module.ts";

type Order = { readonly pkcs11: Pkcs11Options; readonly identity?: { readonly uid: number; readonly gid: number } };

try {
  const { identity, pkcs11 } = JSON.parse(await text(process.stdin)) as Order;
  loadAddOn();
  if (identity !== undefined) becomeUser(identity);
  process.umask(0o077);
  const rows = checkModule(pkcs11);
  const usable = rows.every(({ needed, works }) => works || !needed);
  process.stdout.write(`${JSON.stringify({ usable, rows })}\n`);
} catch (error) {
  const { code = "unknown", message } = error as { readonly code?: string; readonly message: string };
  process.stderr.write(`the module was not checked: ${message} (${code})\n`);
  process.exitCode = 1;
}
