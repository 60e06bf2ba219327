/** docs/sealed-key.md by an independent implementation: OpenSSL's command line, with the very commands of the page. */
import { execFileSync, spawnSync } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  canonicalSealedKeys,
  decodeSealingKey,
  isProvisionOf,
  openSealed,
  provisionText,
  signProvision,
} from "@trefoil/custody";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasService } from "../../../test/services.ts";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const vectors = JSON.parse(readFileSync(path("../../../vectors/sealed-key.json"), "utf8"));
const page = readFileSync(path("../../../docs/sealed-key.md"), "utf8");
type Row = {
  [column in "role" | "joinEui" | "devEui" | "key" | "context" | "kt" | "wrapped" | "wrappedBase64"]: string;
};
const rows: readonly Row[] = vectors.keys;
const privateKey = decodeSealingKey(Buffer.from(vectors.receiver.privateKeyPkcs8, "base64"));

it("the table of the page is the file, row by row", () => {
  const cells = page
    .split("\n")
    .filter((line) => /^\| \w+, `[0-9a-f]{16}`/.test(line))
    .map((line) => line.replaceAll(/[|`,]/g, " ").trim().split(/\s+/));
  expect(cells).toEqual(
    rows.map(({ role, joinEui, devEui, key, context, kt, wrapped }) => [
      role,
      joinEui,
      devEui,
      key,
      context,
      kt,
      wrapped,
    ]),
  );
});

describe("the canonical text and the octets that a provisioner signs", () => {
  const { canonical, text, canonicalSha256, signatures } = vectors.provision;
  const sealed = JSON.parse(canonical);

  it("are those of the vector and of the page", () => {
    expect(canonicalSealedKeys(sealed)).toBe(canonical);
    expect(Buffer.from(provisionText(sealed)).toString("hex")).toBe(text);
    expect(page).toContain(canonicalSha256);
    expect(page).toContain(signatures[0].signature);
  });

  it.each(signatures as { algorithm: string; publicKey: string; signature: string; privateKeyPkcs8: string }[])(
    "$algorithm: what OpenSSL signed verifies, over this message alone",
    ({ publicKey, signature, privateKeyPkcs8 }) => {
      expect(isProvisionOf(sealed, { publicKey, signature })).toBe(true);
      const [key] = sealed.keys;
      for (const other of [
        { ...sealed, keys: [key, key] },
        { ...sealed, keys: [{ ...key, devEui: "0011223344556678" }] },
      ])
        expect(isProvisionOf(other, { publicKey, signature })).toBe(false);
      const signer = createPrivateKey({ key: Buffer.from(privateKeyPkcs8, "base64"), format: "der", type: "pkcs8" });
      expect(isProvisionOf(sealed, signProvision(signer, sealed))).toBe(true);
    },
  );
});

describe.skipIf(!hasService("openssl") || !hasService("xxd"))("OpenSSL's command line", () => {
  const folder = mkdtempSync(join(tmpdir(), "trefoil-openssl-"));
  const file = (name: string) => join(folder, name);
  beforeAll(() => {
    writeFileSync(file("vault.txt"), `${vectors.receiver.publicKey}\n`);
    execFileSync("openssl", ["genpkey", "-algorithm", "ed25519", "-out", file("provisioner.pem")]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const commands = page.split("\n").filter((line) => line.startsWith("printf %s $"));
  it.each(rows)(
    "$role $key: the commands of the page give KT and the wrapped key",
    ({ context, kt, key, wrappedBase64 }) => {
      expect(commands).toHaveLength(2);
      const env = { ...process.env, T: vectors.transportKey, KT: kt, context, key };
      const [derived, wrapped] = commands.map((command) =>
        execFileSync("sh", ["-c", command], { env }).toString().trim(),
      );
      expect(derived).toBe(kt);
      expect(wrapped).toBe(wrappedBase64);
    },
  );

  it("docs/examples/seal-with-openssl.sh seals, and signs as a provisioner; the vault opens and verifies", () => {
    const key = "ffeeddccbbaa99887766554433221100";
    const ids = { role: "NwkKey", joinEui: "70b3d57ed0000001", devEui: "0011223344556677" };
    const args = [file("vault.txt"), ids.role, ids.joinEui, ids.devEui, file("provisioner.pem")];
    const script = path("../../../docs/examples/seal-with-openssl.sh");
    const run = spawnSync("sh", [script, ...args], { input: key, encoding: "utf8" });
    expect(run.stderr).toBe(`sealing to ${vectors.receiver.fingerprint}\n`);
    const [device] = JSON.parse(run.stdout).devices;
    const opened = openSealed(privateKey, device.sealed);
    if (opened.result !== "opened") return expect.unreachable(opened.code);
    expect(opened.keys).toMatchObject([{ joinEui: ids.joinEui, devEui: ids.devEui, key: { role: ids.role } }]);
    expect(opened.keys[0]?.key.expose((octets) => Buffer.from(octets).toString("hex"))).toBe(key);
    expect(isProvisionOf(device.sealed, device.provision)).toBe(true);
  });
});
