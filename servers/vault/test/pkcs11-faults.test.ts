/** What can go wrong with a token, and that the vault says so, fails closed, and comes back by itself (docs/hsm.md). */
import { generateKeyPairSync } from "node:crypto";
import {
  cpSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { makeOwnerKey, makeSealingKeyPair } from "@trefoil/custody";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { objectClass, template, ulongs, type Values } from "../src/pkcs11/attributes.ts";
import { Pkcs11Fault } from "../src/pkcs11/errors.ts";
import { initPkcs11 } from "../src/pkcs11/init.ts";
import { labelOf, publicKeys, type TokenKeyName, tokenKeys } from "../src/pkcs11/keys.ts";
import { aesKeyGen, numbers, rsaKeyPairGen } from "../src/pkcs11/mechanisms.ts";
import { loadModule, Session } from "../src/pkcs11/module.ts";
import { openDesk } from "../src/pkcs11/open.ts";
import { openPkcs11 } from "../src/pkcs11/token.ts";
import { makeVault, missingSoftHsm, type SoftHsm, softHsm } from "./pkcs11-softhsm.ts";
import { un } from "./reference.ts";

const twoBlocks = un("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
const block = twoBlocks.subarray(0, 16);
type Vault = ReturnType<typeof makeVault>;

describe.skipIf(missingSoftHsm() !== undefined)("a token in trouble", { timeout: 120_000 }, () => {
  let hsm: SoftHsm;
  beforeAll(() => {
    hsm = softHsm();
  });
  afterAll(() => hsm.remove());

  /** As the administrator of the token: with its PIN, past the vault. */
  const atToken = <T>({ pkcs11 }: Vault, use: (desk: ReturnType<typeof openDesk>) => T): T => {
    const module = loadModule(pkcs11.module, pkcs11.environment);
    module.finalise(); // so that it sees what was changed on the disk
    module.ensureInitialised();
    const desk = openDesk(module, pkcs11);
    try {
      return use(desk);
    } finally {
      desk.close();
      module.finalise();
    }
  };
  const remove = (vault: Vault, name: TokenKeyName) =>
    atToken(vault, (desk) => {
      for (const key of desk.find(template({ LABEL: labelOf(name) }))) desk.objects.destroy(key);
    });
  /** Another storage key in the place of the one that was made, with attributes of one's own. */
  const plant = (vault: Vault, change: Values) => {
    const id = Buffer.from(JSON.parse(readFileSync(join(vault.dataDir, "vault.json"), "utf8")).id, "hex");
    atToken(vault, (desk) => desk.objects.generateKey(aesKeyGen, template(tokenKeys.storage.made(id).values, change)));
  };
  const damagedOf = (vault: Vault) => {
    try {
      openPkcs11(vault).close();
    } catch (error) {
      return error as {
        readonly code: string;
        readonly retry: string;
        readonly damaged?: readonly string[];
        message: string;
      };
    }
    return undefined;
  };

  it("a token that goes makes every call a clear fault, and service resumes when it is back, with the keys that were out", async () => {
    const vault = makeVault(hsm);
    const token = openPkcs11(vault);
    const wrapping = token.derive256(token.storageKey, twoBlocks, "wrapping");
    const label = token.derive256(token.storageKey, twoBlocks, "label");
    const session = token.derive128(label, block, "transit");
    const blob = token.wrap(wrapping, session);
    const kek = token.unwrap(wrapping, blob, "kek") ?? expect.unreachable();
    token.destroy(wrapping);
    const envelope = token.wrap(kek, session);

    const away = `${hsm.tokens}.away`;
    renameSync(hsm.tokens, away);
    try {
      await patiently(() => token.fault() !== undefined);
      expect(token.fault()).toMatch(/^pkcs11\//);
      for (const call of [
        () => token.wrap(kek, session),
        () => token.derive256(token.storageKey, twoBlocks, "wrapping"),
        () => token.openTransport(new Uint8Array(384)),
        () => token.unwrap(wrapping, blob, "root"),
        () => token.signHead(block),
      ])
        expect(call).toThrow(expect.objectContaining({ code: expect.stringMatching(/^pkcs11\//), retry: "later" }));
    } finally {
      renameSync(away, hsm.tokens);
    }
    await patiently(() => token.fault() === undefined);
    expect(token.wrap(kek, session)).toEqual(envelope);
    expect(token.unwrap(token.derive256(token.storageKey, twoBlocks, "wrapping"), blob, "root")).toBeDefined();
    token.close();
  });

  it("the module begins anew after so many objects: keys that were out go on, none is left over", () => {
    const vault = makeVault(hsm);
    const token = openPkcs11({ ...vault, recycleAfterObjects: 40 });
    const module = loadModule(vault.pkcs11.module);
    const generation = module.generation;
    const label = token.derive256(token.storageKey, twoBlocks, "label");
    const first = token.derive128(label, block, "js-int");
    const mac = token.cmac(first, block);
    for (let i = 0; i < 200; i += 1) {
      const key = token.derive128(label, block, "js-int");
      expect(token.cmac(key, block)).toEqual(mac);
      token.destroy(key);
    }
    expect(token.cmac(first, block)).toEqual(mac);
    expect(module.generation - generation).toBeGreaterThanOrEqual(4);
    for (const key of [first, label]) token.destroy(key);
    expect(token.handles()).toBe(0);
    const desk = openDesk(module, vault.pkcs11);
    expect(desk.find(template({ TOKEN: false }))).toEqual([]);
    desk.close();
    token.close();
  });

  it("the wrong PIN is said, and never tried again: a token locks itself", () => {
    const vault = makeVault(hsm);
    writeFileSync(vault.pkcs11.pinFile, "another-pin");
    expect(damagedOf(vault)).toMatchObject({ code: "pkcs11/pin-incorrect", retry: "never" });
  });

  it.each<[string, (vault: Vault) => Vault["pkcs11"], string]>([
    ["no token of that label", ({ pkcs11 }) => ({ ...pkcs11, tokenLabel: "nobody" }), "vault/other-token"],
    ["no such module", ({ pkcs11 }) => ({ ...pkcs11, module: "/nowhere/module.so" }), "pkcs11/no-module"],
    ["no PIN file", ({ pkcs11 }) => ({ ...pkcs11, pinFile: "/nowhere/pin" }), "pkcs11/no-pin"],
    ["a credential without systemd", ({ pkcs11 }) => ({ ...pkcs11, pinFile: "credential:pin" }), "pkcs11/no-pin"],
  ])("%s is one clear fault that only a person can mend", (_, change, code) => {
    const vault = makeVault(hsm);
    expect(damagedOf({ ...vault, pkcs11: change(vault) })).toMatchObject({ code, retry: "never" });
  });

  it("a PIN file that others may read is refused; a credential is read where systemd put it", () => {
    const vault = makeVault(hsm);
    writeFileSync(`${vault.pkcs11.pinFile}-open`, "trefoil-test-pin", { mode: 0o644 });
    expect(damagedOf({ ...vault, pkcs11: { ...vault.pkcs11, pinFile: `${vault.pkcs11.pinFile}-open` } })).toMatchObject(
      {
        code: "pkcs11/pin-readable",
      },
    );
    process.env.CREDENTIALS_DIRECTORY = hsm.folder;
    try {
      const pinFile = `credential:pin-${vault.pkcs11.tokenLabel}`;
      openPkcs11({ ...vault, pkcs11: { ...vault.pkcs11, pinFile } }).close();
      expect(damagedOf({ ...vault, pkcs11: { ...vault.pkcs11, pinFile: "credential:../pin" } })?.code).toBe(
        "pkcs11/no-pin",
      );
    } finally {
      delete process.env.CREDENTIALS_DIRECTORY;
    }
  });

  it("an absent token is worth another try later", () => {
    const vault = makeVault(hsm);
    rmSync(hsm.tokens, { recursive: true });
    mkdirSync(hsm.tokens);
    expect(damagedOf(vault)).toMatchObject({ code: "pkcs11/no-token", retry: "later" });
  });

  it("a login that another process's start disturbs is tried again, a wrong PIN is not", () => {
    const vault = makeVault(hsm);
    const login = Session.prototype.login;
    const failing = (ckr: string, times: number) => {
      let left = times;
      Session.prototype.login = function (this: Session, pin: string) {
        left -= 1;
        if (left >= 0) throw new Pkcs11Fault(ckr, "C_Login");
        login.call(this, pin);
      };
      try {
        return [damagedOf(vault)?.code, times - left] as const;
      } finally {
        Session.prototype.login = login;
      }
    };
    expect(failing("GENERAL_ERROR", 2)).toEqual([undefined, 3]);
    expect(failing("GENERAL_ERROR", 99)).toEqual(["pkcs11/general-error", 5]);
    expect(failing("PIN_INCORRECT", 99)).toEqual(["pkcs11/pin-incorrect", 1]);
  });

  it("two tokens of one label are refused: nobody guesses which", () => {
    const vault = makeVault(hsm);
    hsm.makeToken(vault.pkcs11.tokenLabel);
    expect(damagedOf(vault)).toMatchObject({ code: "pkcs11/two-tokens", retry: "never" });
  });

  it.each(["storage", "sealing", "audit"] as const)("a missing %s key is named (self-test)", (name) => {
    const vault = makeVault(hsm);
    remove(vault, name);
    const fault = damagedOf(vault);
    expect(fault).toMatchObject({ code: "vault/keys-damaged", damaged: [`trefoil-${name}: missing`] });
    expect(fault?.message).toContain(`trefoil-${name}`);
  });

  it("a key whose file was cut is named, though SoftHSM hides it (self-test)", () => {
    const vault = makeVault(hsm);
    const own = globSync(`${hsm.tokens}/*/token.object`).filter((file) =>
      readFileSync(file).includes(vault.pkcs11.tokenLabel),
    );
    expect(own).toHaveLength(1);
    const keys = globSync(`${dirname(own[0] as string)}/*.object`).filter((file) => !file.endsWith("/token.object"));
    const [largest] = keys.sort((one, other) => statSync(other).size - statSync(one).size); // RSA
    truncateSync(largest as string, 100);
    expect(damagedOf(vault)?.damaged).toEqual(["trefoil-sealing: missing"]);
  });

  it("a second key of a label is refused: nobody guesses which", () => {
    const vault = makeVault(hsm);
    plant(vault, {});
    expect(damagedOf(vault)?.damaged).toEqual(["trefoil-storage: 2 keys of this label"]);
  });

  it.each<[string, Values, string]>([
    ["another key", {}, "another key, or damaged"],
    ["one that may leave", { EXTRACTABLE: true }, "CKA_EXTRACTABLE"],
    ["one that can be read", { SENSITIVE: false }, "CKA_SENSITIVE"],
    ["one that encrypts", { ENCRYPT: true }, "CKA_ENCRYPT"],
    ["one that wraps", { WRAP: true }, "CKA_WRAP"],
    ["one whose use can be changed", { MODIFIABLE: true }, "CKA_MODIFIABLE"],
    [
      "one for every mechanism",
      { ALLOWED_MECHANISMS: ulongs(numbers.AES_CBC_ENCRYPT_DATA, numbers.AES_ECB) },
      "CKA_ALLOWED_MECHANISMS",
    ],
    ["one that all sessions see", { PRIVATE: false }, "CKA_PRIVATE"],
    ["one of another vault", { ID: "x" }, "CKA_ID"],
    ["one of 128 bits", { VALUE_LEN: 16 }, "CKA_VALUE_LEN"],
  ])("a storage key that was exchanged for %s is refused", (_, change, reason) => {
    const vault = makeVault(hsm);
    remove(vault, "storage");
    plant(vault, change);
    const [line] = damagedOf(vault)?.damaged ?? [];
    expect(line).toMatch(/^trefoil-storage: /);
    expect(line).toContain(reason);
  });

  it("a sealing key that was exchanged, with the right attributes, is refused", () => {
    const vault = makeVault(hsm);
    const id = Buffer.from(JSON.parse(readFileSync(join(vault.dataDir, "vault.json"), "utf8")).id, "hex");
    remove(vault, "sealing");
    atToken(vault, (desk) =>
      desk.objects.generateKeyPair(rsaKeyPairGen, publicKeys.sealing, tokenKeys.sealing.made(id)),
    );
    expect(damagedOf(vault)?.damaged).toEqual(["trefoil-sealing: another key, or damaged"]);
  });

  it("nothing in vault.json can be exchanged by who holds the disk, least of all the owner", () => {
    const vault = makeVault(hsm);
    const path = join(vault.dataDir, "vault.json");
    const file = JSON.parse(readFileSync(path, "utf8"));
    const codeOf = (change: object) => {
      writeFileSync(path, JSON.stringify({ ...file, ...change }));
      return damagedOf(vault)?.code;
    };
    expect(codeOf({ ownerPublicKey: makeOwnerKey("x").publicKey })).toBe("vault/changed");
    expect(codeOf({ sealingKey: makeSealingKeyPair().published.publicKey })).toBe("vault/keys-damaged");
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const auditKey = publicKey.export({ type: "spki", format: "der" }).toString("base64");
    expect(codeOf({ auditKey })).toBe("vault/keys-damaged");
    expect(codeOf({ auditKey: "AAAA" })).toBe("vault/damaged");
    expect(codeOf({ mac: Buffer.alloc(16).toString("base64") })).toBe("vault/changed");
    expect(codeOf({ check: Buffer.alloc(16).toString("base64") })).toBe("vault/keys-damaged");
    expect(codeOf({ format: 3 })).toBe("vault/newer");
    expect(codeOf({ engine: "software" })).toBe("vault/newer");
    expect(codeOf({ mac: 1 })).toBe("vault/damaged");
    expect(codeOf({})).toBeUndefined();
  });

  it("the folder of another vault does not open with this vault's token", () => {
    const [vault, other] = [makeVault(hsm), makeVault(hsm)];
    cpSync(join(other.dataDir, "vault.json"), join(vault.dataDir, "vault.json"));
    expect(damagedOf(vault)?.code).toBe("vault/other-token");
    const file = JSON.parse(readFileSync(join(vault.dataDir, "vault.json"), "utf8"));
    writeFileSync(join(vault.dataDir, "vault.json"), JSON.stringify({ ...file, tokenLabel: vault.pkcs11.tokenLabel }));
    expect(damagedOf(vault)?.code).toBe("vault/keys-damaged");
  });

  it("a vault is made once: neither over another's folder nor in another's token, and nothing is left of a try", () => {
    const vault = makeVault(hsm);
    const ownerPublicKey = makeOwnerKey("x").publicKey;
    const code = (order: Parameters<typeof initPkcs11>[0]) => {
      try {
        initPkcs11(order);
      } catch (error) {
        return (error as { code: string }).code;
      }
      return "made";
    };
    expect(code({ dataDir: vault.dataDir, ownerPublicKey, pkcs11: vault.pkcs11 })).toBe("vault/exists");
    const elsewhere = join(hsm.folder, "elsewhere");
    mkdirSync(elsewhere);
    expect(code({ dataDir: elsewhere, ownerPublicKey, pkcs11: vault.pkcs11 })).toBe("vault/token-taken");
    expect(code({ dataDir: elsewhere, ownerPublicKey: "x", pkcs11: vault.pkcs11 })).toBe("vault/no-owner");
    const empty = hsm.makeToken("unwritable");
    expect(code({ dataDir: join(elsewhere, "not there"), ownerPublicKey, pkcs11: empty })).toBe("ENOENT");
    atToken({ ...vault, pkcs11: empty }, (desk) => expect(desk.find(template({}))).toEqual([]));
    atToken(vault, (desk) => {
      expect(desk.find(template({ CLASS: objectClass.publicKey }))).toEqual([]);
      expect(desk.find(template({}))).toHaveLength(3);
    });
  });
});

/** Half a minute at most: the token's absence is looked for four times a second, its return tried twice a second. */
async function patiently(until: () => boolean): Promise<void> {
  for (let left = 300; left > 0; left -= 1) {
    if (until()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect.unreachable("it did not come");
}
