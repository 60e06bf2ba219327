/** The PKCS #11 engine on SoftHSM, asked through its Token port: same answers as the software engine, and nothing left behind. */
import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  verify,
} from "node:crypto";
import { makeSealingKeyPair, oaep, parseReceiver, toHex } from "@trefoil/custody";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { template } from "../src/pkcs11/attributes.ts";
import { loadModule } from "../src/pkcs11/module.ts";
import { openDesk } from "../src/pkcs11/open.ts";
import { openPkcs11, type Pkcs11Token } from "../src/pkcs11/token.ts";
import { withHandles } from "../src/token.ts";
import { makeVault, missingSoftHsm, type SoftHsm, softHsm } from "./pkcs11-softhsm.ts";
import { cmac, ecb, un } from "./reference.ts";

describe.skipIf(missingSoftHsm() !== undefined)("Pkcs11Token on SoftHSM", { timeout: 120_000 }, () => {
  let hsm: SoftHsm;
  let vault: ReturnType<typeof makeVault>;
  let token: Pkcs11Token;
  beforeAll(() => {
    hsm = softHsm();
    vault = makeVault(hsm);
    token = openPkcs11(vault);
  });
  afterAll(() => {
    token.close();
    hsm.remove();
  });

  /** Every object that this process sees, those of the token and of all sessions. */
  const objects = () => {
    const desk = openDesk(loadModule(vault.pkcs11.module, vault.pkcs11.environment), vault.pkcs11);
    try {
      return desk.find(template({})).length;
    } finally {
      desk.close();
    }
  };
  const receiver = () => parseReceiver(token.published.publicKey) ?? expect.unreachable();
  const transportOf = (secret: Uint8Array) =>
    token.openTransport(publicEncrypt({ key: receiver().publicKey, ...oaep }, secret));
  const twoBlocks = un("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");

  it("publishes what init told", () => {
    expect({ ...token.published, engine: token.engine, auditKey: token.auditPublicKey }).toEqual(vault.info);
    expect([token.fault(), token.damaged, token.handles()]).toEqual([undefined, [], 0]);
    expect(token.place).toContain(vault.pkcs11.tokenLabel);
  });

  it("a sealed key's chain gives the octets that software gives, and leaves no object behind", () => {
    const before = objects();
    const [transport, key] = [randomBytes(32), randomBytes(16)];
    withHandles(token, (own) => {
      const t = own(transportOf(transport)) ?? expect.unreachable();
      const kt = own(token.derive256(t, twoBlocks, "wrapping"));
      const software = aes256(transport, twoBlocks);
      const root = own(token.unwrap(kt, rfc3394(software, key), "root")) ?? expect.unreachable();
      expect(toHex(token.cmac(root, un("0102")))).toBe(cmac(key, un("0102")).toString("hex"));
      const block = un("01020304050607080900000000000000");
      expect(toHex(token.decryptBlocks(root, ecb(key, block)))).toBe(block.toString("hex"));
      const session = own(token.derive128(root, block, "transit"));
      const jsInt = own(token.derive128(root, block, "js-int"));
      expect(toHex(token.cmac(jsInt, un("00")))).toBe(cmac(ecb(key, block), un("00")).toString("hex"));
      expect(unRfc3394(software, token.wrap(kt, session))).toBe(ecb(key, block).toString("hex"));
      expect(token.handles()).toBe(5);
    });
    expect(token.handles()).toBe(0);
    expect(objects()).toBe(before);
  });

  it("what was wrapped under another key, or cut, or moved, is refused and leaves nothing behind", () => {
    const before = objects();
    withHandles(token, (own) => {
      const one = own(token.derive256(token.storageKey, twoBlocks, "wrapping"));
      const other = own(token.derive256(token.storageKey, Buffer.from(twoBlocks).reverse(), "wrapping"));
      const label = own(token.derive256(token.storageKey, twoBlocks, "label"));
      const blob = token.wrap(one, own(token.derive128(label, twoBlocks.subarray(0, 16), "transit")));
      const again = own(token.unwrap(one, blob, "root"));
      expect(again).toBeDefined();
      expect(token.unwrap(other, blob, "root")).toBeUndefined();
      expect(token.unwrap(one, blob.subarray(0, 16), "root")).toBeUndefined();
      expect(token.unwrap(one, Buffer.concat([blob, blob.subarray(0, 8)]), "root")).toBeUndefined();
      expect(token.unwrap(one, new Uint8Array(0), "kek")).toBeUndefined();
      for (let bit = 0; bit < 192; bit += 7) {
        const changed = Uint8Array.from(blob);
        (changed[bit >> 3] as number) ^= 1 << (bit & 7);
        expect(token.unwrap(one, changed, "root")).toBeUndefined();
      }
    });
    expect([token.handles(), objects(), token.fault()]).toEqual([0, before, undefined]);
  });

  it.each([0, 1, 16, 20, 24, 31, 33, 48])("a transport key of %i octets is none (docs/sealed-key.md)", (octets) => {
    const before = objects();
    expect(transportOf(randomBytes(octets))).toBeUndefined();
    expect([token.handles(), objects()]).toEqual([0, before]);
  });

  it("what was sealed to another receiver, or is no ciphertext, opens not", () => {
    const other = parseReceiver(makeSealingKeyPair().published.publicKey) ?? expect.unreachable();
    expect(token.openTransport(publicEncrypt({ key: other.publicKey, ...oaep }, randomBytes(32)))).toBeUndefined();
    for (const octets of [0, 1, 383, 384, 385, 512])
      expect(token.openTransport(new Uint8Array(octets))).toBeUndefined();
    expect(token.fault()).toBeUndefined();
  });

  it("RSA-OAEP of WebCrypto opens, as the console makes it", async () => {
    const spki = Buffer.from(token.published.publicKey, "base64");
    const { subtle } = globalThis.crypto;
    const key = await subtle.importKey("spki", spki, { name: "RSA-OAEP", hash: "SHA-1" }, false, ["encrypt"]);
    const secret = randomBytes(32);
    const ciphertext = new Uint8Array(await subtle.encrypt({ name: "RSA-OAEP" }, key, secret));
    withHandles(token, (own) => {
      const t = own(token.openTransport(ciphertext)) ?? expect.unreachable();
      const kt = own(token.derive256(t, twoBlocks, "wrapping"));
      const root = own(token.unwrap(kt, rfc3394(aes256(secret, twoBlocks), Buffer.alloc(16, 7)), "root"));
      expect(toHex(token.cmac(root ?? expect.unreachable(), twoBlocks))).toBe(
        cmac(Buffer.alloc(16, 7), Buffer.from(twoBlocks)).toString("hex"),
      );
    });
  });

  it("a transport key for another vault opens there, and derives here what it derives there", () => {
    const { privateKey, published } = makeSealingKeyPair();
    const before = objects();
    withHandles(token, (own) => {
      const made = token.newTransport(parseReceiver(published.publicKey) ?? expect.unreachable());
      const t = own(made.key);
      const secret = privateDecrypt({ key: privateKey, ...oaep }, made.ciphertext);
      expect(secret.length).toBe(32);
      const kt = own(token.derive256(t, twoBlocks, "wrapping"));
      const label = own(token.derive256(token.storageKey, twoBlocks, "label"));
      const key = own(token.derive128(label, twoBlocks.subarray(0, 16), "transit"));
      expect(unRfc3394(aes256(secret, twoBlocks), token.wrap(kt, key))).toHaveLength(32);
    });
    expect([token.handles(), objects()]).toEqual([0, before]);
  });

  it("a key that was destroyed is used no more", () => {
    const label = token.derive256(token.storageKey, twoBlocks, "label");
    const wrapping = token.derive256(token.storageKey, twoBlocks, "wrapping");
    for (const key of [label, wrapping, label]) token.destroy(key);
    for (const use of [
      () => token.derive128(label, twoBlocks.subarray(0, 16), "root"),
      () => token.unwrap(wrapping, new Uint8Array(24), "root"),
      () => token.cmac(label, twoBlocks),
    ])
      expect(use).toThrow(/destroyed/);
    expect([token.handles(), token.fault()]).toEqual([0, undefined]);
  });

  it("the audit key's signatures verify outside, as r ‖ s over SHA-256", () => {
    const key = createPublicKey({ key: Buffer.from(token.auditPublicKey, "base64"), format: "der", type: "spki" });
    const signature = token.signHead(un("0102"));
    expect(signature).toHaveLength(64);
    expect(verify("sha256", un("0102"), { key, dsaEncoding: "ieee-p1363" }, signature)).toBe(true);
    expect(verify("sha256", un("0103"), { key, dsaEncoding: "ieee-p1363" }, signature)).toBe(false);
  });

  it("the token itself refuses each use that a key was not made for, and goes on", () => {
    withHandles(token, (own) => {
      const wrapping = own(token.derive256(token.storageKey, twoBlocks, "wrapping"));
      const label = own(token.derive256(token.storageKey, twoBlocks, "label"));
      const transit = own(token.derive128(label, twoBlocks.subarray(0, 16), "transit"));
      const jsInt = own(token.derive128(label, twoBlocks.subarray(0, 16), "js-int"));
      const root = own(token.unwrap(wrapping, token.wrap(wrapping, transit), "root")) ?? expect.unreachable();
      const kek = own(token.unwrap(wrapping, token.wrap(wrapping, transit), "kek")) ?? expect.unreachable();
      const refused: readonly (readonly [string, () => unknown])[] = [
        ["a root key leaves", () => token.wrap(wrapping, root)],
        ["a KEK leaves", () => token.wrap(wrapping, kek)],
        ["a JSIntKey leaves", () => token.wrap(kek, jsInt)],
        ["a KEK unwraps", () => token.unwrap(kek, token.wrap(kek, transit), "root")],
        ["a KEK signs", () => token.cmac(kek, twoBlocks)],
        ["a session key signs", () => token.cmac(transit, twoBlocks)],
        ["a session key derives", () => token.derive128(transit, twoBlocks.subarray(0, 16), "transit")],
        ["a JSIntKey decrypts", () => token.decryptBlocks(jsInt, twoBlocks)],
        ["the storage key signs", () => token.cmac(token.storageKey, twoBlocks)],
        ["the storage key wraps", () => token.wrap(token.storageKey, transit)],
      ];
      for (const [what, attempt] of refused)
        expect([what, codeOf(attempt)]).toEqual([what, expect.stringMatching(/^pkcs11\/key-/)]);
      expect(toHex(token.wrap(kek, transit))).toHaveLength(48);
    });
    expect([token.handles(), token.fault()]).toEqual([0, undefined]);
  });
});

const codeOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return "nothing thrown";
};
const aes256 = (key: Uint8Array, blocks: Uint8Array): Buffer => {
  const cipher = createCipheriv("aes-256-cbc", key, Buffer.alloc(16)).setAutoPadding(false);
  return cipher.update(blocks);
};
const rfc3394 = (kek: Uint8Array, key: Uint8Array): Buffer =>
  createCipheriv("id-aes256-wrap", kek, Buffer.alloc(8, 0xa6)).update(key);
const unRfc3394 = (kek: Uint8Array, wrapped: Uint8Array): string =>
  createDecipheriv("id-aes256-wrap", kek, Buffer.alloc(8, 0xa6)).update(wrapped).toString("hex");
