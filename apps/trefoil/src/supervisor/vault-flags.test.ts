import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultConfig } from "@trefoil/service/config";
import { roles } from "@trefoil/wire";
import { afterAll, afterEach, expect, test } from "vitest";
import type { Users } from "./users.ts";
import { vaultFlags, vaultSettings } from "./vault-flags.ts";

const folder = mkdtempSync(join(tmpdir(), "credentials-"));
writeFileSync(join(folder, "pin"), "1234");
const staged = "/run/trefoil-credentials/58999";
afterEach(() => {
  delete process.env.CREDENTIALS_DIRECTORY;
});
afterAll(() => {
  rmSync(folder, { recursive: true });
  rmSync(staged, { recursive: true, force: true });
});
const one: Users = { are: "one", because: "of this test" };
const apart = {
  are: "separate",
  of: Object.fromEntries(roles.map((role) => [role, { uid: 58_999, gid: 58_999 }])),
} as unknown as Users;
const { vault } = defaultConfig();
const token = { ...vault, engine: "pkcs11", pkcs11: { ...vault.pkcs11, pinFile: "credential:pin" } } as const;

test("only a vault with a token may load native code, and only its own secret's file is added to what it may read", () => {
  expect(vaultFlags(vault)).toEqual([]);
  expect(vaultFlags({ ...vault, passphraseFile: "/a" })).toEqual(["--allow-fs-read=/a"]);
  expect(vaultFlags({ ...token, passphraseFile: "/a", pkcs11: { ...token.pkcs11, pinFile: "/pin" } })).toEqual([
    "--allow-fs-read=/pin",
    "--allow-addons",
    "--disable-warning=PERM0001",
  ]);
});

test("credential:NAME is a file that systemd gave; without systemd it is one clear sentence", () => {
  expect(() => vaultSettings(token, one)).toThrow(/LoadCredential=/);
  process.env.CREDENTIALS_DIRECTORY = folder;
  expect(vaultSettings(token, one).pkcs11.pinFile).toBe(join(folder, "pin"));
});

test.skipIf(process.getuid?.() !== 0)(
  "a vault with a user of its own gets a copy that only that user can read, in memory",
  () => {
    process.env.CREDENTIALS_DIRECTORY = folder;
    const path = vaultSettings(token, apart).pkcs11.pinFile as string;
    expect(path).toBe(join(staged, "pin"));
    expect(readFileSync(path, "utf8")).toBe("1234");
    const { mode, uid } = statSync(path);
    expect([mode & 0o777, uid]).toEqual([0o400, 58_999]);
    expect(vaultSettings(token, apart).pkcs11.pinFile).toBe(path); // again, over what is there
    const other = { ...token, pkcs11: { ...token.pkcs11, pinFile: "credential:nix" } };
    expect(() => vaultSettings(other, apart)).toThrow(/LoadCredential=nix/);
  },
);
