/**
 * docs/examples/seal-inside-hsm.mjs on SoftHSM: keys made in a token that nobody can read reach a vault, and open there as what they are.
 * SoftHSM's configuration is an environment variable that the module reads when it is loaded: so all of it happens in child processes.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cmac } from "@noble/ciphers/aes.js";
import { isProvisionOf, makeSealingKeyPair, openSealed } from "@trefoil/custody";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasService } from "../../../test/services.ts";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const module = "/usr/lib/softhsm/libsofthsm2.so";
const joinEui = "70b3d57ed0000001";
const devices = [
  { devEui: "0011223344556677", macVersion: "1.0.4" },
  { devEui: "0011223344556688", macVersion: "1.1" },
] as const;
const text = "Trefoil: which key is it?";

/** It is an optional dependency: where it could not be built, there is no token either. */
function hasAddOn(): boolean {
  try {
    createRequire(import.meta.url).resolve("pkcs11js");
    return true;
  } catch {
    process.stderr.write("\nSKIPPED: pkcs11js is not installed\n");
    return false;
  }
}

describe.skipIf(!hasService("softhsm2-util") || !existsSync(module) || !hasAddOn())(
  "sealing inside another HSM",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "trefoil-maker-"));
    const file = (name: string) => join(folder, name);
    const env = { ...process.env, SOFTHSM2_CONF: file("softhsm2.conf") };
    const vault = makeSealingKeyPair();
    /** CMAC of `text` under each key, made in the token: what is known of keys that cannot be read (make-factory-keys.mjs tried). */
    let macs: { readonly [label: string]: string };
    let output: string;
    let shown: string;

    beforeAll(() => {
      mkdirSync(file("tokens"));
      writeFileSync(env.SOFTHSM2_CONF, `directories.tokendir = ${file("tokens")}\nobjectstore.backend = file\n`);
      writeFileSync(file("pin"), "4711\n", { mode: 0o600 });
      writeFileSync(file("vault.txt"), `${vault.published.publicKey}\n`);
      writeFileSync(
        file("devices.csv"),
        devices.map(({ devEui, macVersion }) => `${devEui};${joinEui};${macVersion}\n`).join(""),
      );
      const token = ["--init-token", "--free", "--label", "factory", "--so-pin", "12345678", "--pin", "4711"];
      execFileSync("softhsm2-util", token, { env, stdio: "pipe" });
      const made = execFileSync(process.execPath, [path("./make-factory-keys.mjs"), module, "4711", text], { env });
      macs = JSON.parse(made.toString());
      const args = ["--module", module, "--token", "factory", "--pin-file", file("pin"), "--vault", file("vault.txt")];
      const seal = [path("../../../docs/examples/seal-inside-hsm.mjs"), ...args, "--devices", file("devices.csv")];
      const run = spawnSync(process.execPath, [...seal, "--provisioner", "line-1"], { env, encoding: "utf8" });
      expect(run.stderr).toMatch(/^sealing to /);
      output = run.stdout;
      shown = run.stderr;
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    it("prints the vault's fingerprint, for a person to compare", () => {
      expect(shown.replace("sealing to", "").replaceAll(/\s/g, "")).toBe(vault.published.fingerprint);
    });

    it("the vault opens each key for its device and role, and it is the very key that never left the token", () => {
      const rows = JSON.parse(output).devices;
      expect(rows).toMatchObject(devices);
      const found: { [label: string]: string } = {};
      for (const { sealed, devEui } of rows) {
        const opened = openSealed(vault.privateKey, sealed);
        if (opened.result !== "opened") return expect.unreachable(opened.code);
        for (const { key, ...ids } of opened.keys) {
          expect(ids).toEqual({ joinEui, devEui });
          found[`${key.role} ${devEui}`] = Buffer.from(
            key.expose((octets) => cmac(new TextEncoder().encode(text), octets)),
          ).toString("hex");
        }
      }
      expect(found).toEqual(macs);
      expect(Object.keys(found)).toEqual([
        "AppKey 0011223344556677",
        "NwkKey 0011223344556688",
        "AppKey 0011223344556688",
      ]);
    });

    it("the provisioner's signature, made in the token, is over exactly these sealed keys", () => {
      const [first, second] = JSON.parse(output).devices;
      expect(isProvisionOf(first.sealed, first.provision)).toBe(true);
      expect(isProvisionOf(second.sealed, second.provision)).toBe(true);
      expect(isProvisionOf(first.sealed, second.provision)).toBe(false);
    });
  },
);
