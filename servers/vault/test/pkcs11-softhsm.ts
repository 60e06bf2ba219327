/** SoftHSM for tests: tokens in a throw-away folder of their own. scripts/test-services provides it, and the add-on. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeOwnerKey } from "@trefoil/custody";
import { initPkcs11, type Pkcs11Options } from "../src/pkcs11/init.ts";
import { loadAddOn } from "../src/pkcs11/module.ts";

/** Where Debian, Fedora, Arch and Homebrew put it; SOFTHSM2_MODULE overrides. */
const places = [
  ...(process.env.SOFTHSM2_MODULE ? [process.env.SOFTHSM2_MODULE] : []),
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/lib64/pkcs11/libsofthsm2.so",
  ...globSync("/usr/lib/*/softhsm/libsofthsm2.so"),
  "/usr/lib/pkcs11/libsofthsm2.so",
  "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];
const modulePath = places.find((path) => existsSync(path));

/** What is missing, or `undefined`. With CI=true a missing thing is an error. */
export function missingSoftHsm(): string | undefined {
  const missing = whatIsMissing();
  if (missing === undefined) return undefined;
  if (process.env.CI === "true") throw new Error(`${missing}: run scripts/test-services`);
  process.stderr.write(`\nSKIPPED: ${missing} (scripts/test-services provides it)\n`);
  return missing;
}
function whatIsMissing(): string | undefined {
  if (modulePath === undefined || spawnSync("softhsm2-util", ["--version"]).status !== 0)
    return "SoftHSM is not installed";
  try {
    loadAddOn();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

export type SoftHsm = {
  readonly folder: string;
  /** Moved away, it is a token that was pulled out. */
  readonly tokens: string;
  /** Makes a token, and what the configuration says of it. */
  readonly makeToken: (label: string, pin?: string) => Pkcs11Options;
  readonly remove: () => void;
};

export function softHsm(): SoftHsm {
  const folder = mkdtempSync(join(tmpdir(), "trefoil-softhsm-"));
  const tokens = join(folder, "tokens");
  mkdirSync(tokens);
  const conf = join(folder, "softhsm2.conf");
  writeFileSync(conf, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  const environment = { SOFTHSM2_CONF: conf };
  return {
    folder,
    tokens,
    makeToken(tokenLabel, pin = "trefoil-test-pin") {
      const args = ["--init-token", "--free", "--label", tokenLabel, "--so-pin", "12345678", "--pin", pin];
      const made = spawnSync("softhsm2-util", args, { env: { ...process.env, ...environment }, encoding: "utf8" });
      if (made.status !== 0) throw new Error(`softhsm2-util: ${made.stdout}${made.stderr}`);
      const pinFile = join(folder, `pin-${tokenLabel}`);
      writeFileSync(pinFile, `${pin}\n`);
      chmodSync(pinFile, 0o600);
      return { module: modulePath ?? "", tokenLabel, pinFile, environment };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

let vaults = 0;
/** A vault in a token of its own. */
export function makeVault(hsm: SoftHsm, ownerPublicKey = makeOwnerKey("test").publicKey) {
  vaults += 1;
  const dataDir = join(hsm.folder, `vault-${vaults}`);
  mkdirSync(dataDir);
  const pkcs11 = hsm.makeToken(`vault-${vaults}`);
  return { dataDir, pkcs11, info: initPkcs11({ dataDir, ownerPublicKey, pkcs11 }) };
}
