/** A SoftHSM token in a folder of its own, with its PIN beside it: for the vault's user alone. */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, globSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const modules = [
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/lib64/pkcs11/libsofthsm2.so",
  ...globSync("/usr/lib/*/softhsm/libsofthsm2.so"),
  "/usr/lib/pkcs11/libsofthsm2.so",
];

export function makeSoftHsmToken(folder: string, owner?: { readonly uid: number; readonly gid: number }) {
  const module = modules.find((path) => existsSync(path));
  if (module === undefined) throw new Error("SoftHSM is not installed: run scripts/test-services");
  const tokens = join(folder, "tokens");
  const conf = join(folder, "softhsm2.conf");
  const pinFile = join(folder, "pin");
  const tokenLabel = "trefoil-bench";
  mkdirSync(tokens, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o711);
  writeFileSync(conf, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  const pin = "trefoil-bench-pin"; // of a token that is thrown away
  const args = ["--init-token", "--free", "--label", tokenLabel, "--so-pin", "12345678", "--pin", pin];
  const made = spawnSync("softhsm2-util", args, { env: { ...process.env, SOFTHSM2_CONF: conf }, encoding: "utf8" });
  if (made.status !== 0) throw new Error(`softhsm2-util: ${made.stdout}${made.stderr}`);
  writeFileSync(pinFile, `${pin}\n`, { mode: 0o600 });
  if (owner !== undefined)
    for (const path of [pinFile, tokens, ...globSync(`${tokens}/**/*`)]) chownSync(path, owner.uid, owner.gid);
  return { module, tokenLabel, pinFile, environment: { SOFTHSM2_CONF: conf } };
}
