/**
 * Can this module do what the vault needs? Each mechanism and each promise is tried with throw-away session objects, and its result compared
 * with OpenSSL's. Needs a token and its PIN, and no vault in it; leaves nothing behind (`trefoil vault check`).
 */
import { createCipheriv, createDecipheriv, generateKeyPairSync, privateDecrypt, publicEncrypt } from "node:crypto";
import { oaep } from "@trefoil/custody";
import { KeySchedule } from "@trefoil/lorawan";
import { isSignedBy, publicKeyOf } from "../audit-key.ts";
import { template } from "./attributes.ts";
import type { Desk } from "./desk.ts";
import { Pkcs11Fault } from "./errors.ts";
import type { Pkcs11Options } from "./init.ts";
import { derived128, derived256, publicKeys, tokenKeys, unwrapped } from "./keys.ts";
import {
  aesCmac,
  aesEcb,
  aesKeyGen,
  aesKeyWrap,
  cbcEncryptData,
  ecdsa,
  ecKeyPairGen,
  rsaKeyPairGen,
  rsaOaep,
} from "./mechanisms.ts";
import { loadModule, type ObjectHandle } from "./module.ts";
import { openDeskPatiently } from "./open.ts";
import { p256PublicKey, rsaPublicKey, sha256 } from "./public-keys.ts";
import { makeTransport } from "./transport.ts";
import { readBack, tryTemplates, withObjects } from "./trial.ts";

/** `needed`: without it there is no vault in this module. `remark`: why it does not work, or by what it does. */
export type CheckRow = {
  readonly name: string;
  readonly needed: boolean;
  readonly works: boolean;
  readonly remark: string;
};

const noId = Uint8Array.of(0);
const inSession = { TOKEN: false } as const;
const blocks = Uint8Array.from({ length: 32 }, (_, i) => 0xe0 + i);
const block = blocks.subarray(0, 16);
/** A key whose octets are known here: it protects nothing. */
const known = Uint8Array.from({ length: 16 }, (_, i) => i);

class Wrong extends Error {}
const must = (ok: boolean, why: string) => {
  if (!ok) throw new Wrong(why);
};
const same = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;

/** Rows in the order tried. A token that cannot be opened is the first row, and the only one. */
export function checkModule(options: Pkcs11Options): readonly CheckRow[] {
  const rows: CheckRow[] = [];
  const row = (name: string, needed: boolean, attempt: () => string) => {
    try {
      rows.push({ name, needed, works: true, remark: attempt() });
      return true;
    } catch (error) {
      const { message } = error as Error;
      if (!(error instanceof Wrong) && typeof (error as { code?: unknown }).code !== "string") throw error;
      rows.push({ name, needed, works: false, remark: message });
      return false;
    }
  };
  let opened: { readonly module: ReturnType<typeof loadModule>; readonly desk: Desk } | undefined;
  const isOpen = row("the token opens with its PIN", true, () => {
    const module = loadModule(options.module, options.environment);
    opened = { module, desk: openDeskPatiently(module, options) };
    return module.describe(opened.desk.slot);
  });
  if (!isOpen || opened === undefined) return rows;
  const { desk, module } = opened;
  try {
    const before = desk.find(template({})).length;
    withObjects(desk, (keep) => {
      let pair: SealingPair | undefined; // takes a second to make: one for all
      const sealing = () => {
        pair ??= makeSealing(desk, keep);
        return pair;
      };
      for (const { name, needed, attempt } of attempts)
        row(name, needed, () => withObjects(desk, (own) => attempt({ desk, own, sealing })));
    });
    row("nothing is left behind", true, () => {
      const left = desk.find(template({})).length - before;
      must(left === 0, `${left} objects were not destroyed`);
      return "every object was destroyed";
    });
    return rows;
  } finally {
    desk.close();
    module.finalise();
  }
}

type Own = (object: ObjectHandle) => ObjectHandle;
type SealingPair = { readonly key: ObjectHandle; readonly publicKey: string };
type Bench = { readonly desk: Desk; readonly own: Own; readonly sealing: () => SealingPair };
type Attempt = {
  readonly name: string;
  readonly needed: boolean;
  readonly attempt: (bench: Bench) => string;
};
const needed = (name: string, attempt: Attempt["attempt"]): Attempt => ({ name, needed: true, attempt });
const wished = (name: string, attempt: Attempt["attempt"]): Attempt => ({ name, needed: false, attempt });

/* What they have in common. */
const base = ({ desk, own }: Bench) =>
  own(desk.objects.generateKey(aesKeyGen, template(tokenKeys.storage.made(noId).values, inSession)));
function makeSealing(desk: Desk, own: Own): SealingPair {
  const made = template(tokenKeys.sealing.made(noId).values, inSession);
  const pair = desk.objects.generateKeyPair(rsaKeyPairGen, publicKeys.sealing, made);
  own(pair.privateKey);
  const publicKey = rsaPublicKey(desk.objects, own(pair.publicKey));
  if (publicKey === undefined) throw new Wrong("CKA_MODULUS and CKA_PUBLIC_EXPONENT cannot be read");
  return { key: pair.privateKey, publicKey };
}
/** A key of 16 known octets, as a root key arrives: under RSA-OAEP here, as nothing else brings octets in. */
const arrived = (bench: Bench, what: { readonly values: object }) => {
  const { key, publicKey } = bench.sealing();
  const sealed = publicEncrypt({ key: publicKeyOf(publicKey), ...oaep }, known);
  return bench.own(bench.desk.objects.unwrap(rsaOaep, key, sealed, template(what.values)));
};
const openedWith = (kek: Uint8Array, envelope: Uint8Array) =>
  createDecipheriv(`id-aes${kek.length * 8}-wrap`, kek, Buffer.alloc(8, 0xa6)).update(envelope);
const aesBlock = (octets: Uint8Array) =>
  createCipheriv("aes-128-ecb", known, null).setAutoPadding(false).update(octets);
/** The module refuses with some CKR: that it does is the promise. */
const refusal = (attempt: () => unknown, otherwise: string): string => {
  try {
    attempt();
  } catch (error) {
    if (error instanceof Pkcs11Fault) return `CKR_${error.ckr}`;
    throw error;
  }
  throw new Wrong(otherwise);
};

const attempts: readonly Attempt[] = [
  needed("an AES-256 key is made that only derives", (bench) => {
    const wrong = readBack(bench.desk, base(bench), template(tokenKeys.storage.wanted.values, inSession));
    must(wrong.length === 0, `other attributes than asked for: ${wrong.join(", ")}`);
    return "CKM_AES_KEY_GEN, CKA_ALLOWED_MECHANISMS, not CKA_MODIFIABLE";
  }),
  needed("an RSA-3072 key is made that only unwraps", (bench) => {
    const wrong = readBack(bench.desk, bench.sealing().key, template(tokenKeys.sealing.wanted.values, inSession));
    must(wrong.length === 0, `other attributes than asked for: ${wrong.join(", ")}`);
    return "CKM_RSA_PKCS_KEY_PAIR_GEN";
  }),
  needed("a P-256 key is made that only signs, and its signature verifies", ({ desk, own }) => {
    const made = template(tokenKeys.audit.made(noId).values, inSession);
    const pair = desk.objects.generateKeyPair(ecKeyPairGen, publicKeys.audit, made);
    const key = own(pair.privateKey);
    const publicKey = p256PublicKey(desk.objects, own(pair.publicKey));
    must(publicKey !== undefined, "CKA_EC_POINT cannot be read");
    const wrong = readBack(desk, key, template(tokenKeys.audit.wanted.values, inSession));
    must(wrong.length === 0, `other attributes than asked for: ${wrong.join(", ")}`);
    const signature = desk.sign(ecdsa, key, sha256(blocks), 64);
    must(isSignedBy(publicKey as string, blocks, signature), "the signature does not verify");
    return "CKM_EC_KEY_PAIR_GEN, CKM_ECDSA";
  }),
  needed("a sealed key opens (RSA-OAEP, SHA-1)", (bench) => {
    const mac = bench.desk.sign(aesCmac, arrived(bench, unwrapped.root), blocks, 16);
    must(same(mac, new KeySchedule(known).cmac(blocks)), "another key came out");
    return "CKM_RSA_PKCS_OAEP, C_UnwrapKey";
  }),
  needed("MICs (AES-CMAC)", (bench) => {
    const key = arrived(bench, unwrapped.root);
    for (const length of [1, 15, 16, 17, 32]) {
      const message = blocks.subarray(0, length);
      const mac = bench.desk.sign(aesCmac, key, message, 16);
      must(same(mac, new KeySchedule(known).cmac(message)), `wrong for ${length} octets`);
    }
    return "CKM_AES_CMAC";
  }),
  needed("join-accepts (AES-ECB decryption)", (bench) => {
    const clear = bench.desk.decrypt(aesEcb, arrived(bench, unwrapped.root), aesBlock(blocks));
    must(same(clear, blocks), "other octets than AES gives");
    return "CKM_AES_ECB, C_Decrypt";
  }),
  needed("session keys are derived as LoRaWAN wants, and wrapped (RFC 3394)", (bench) => {
    const { desk, own } = bench;
    const { objects } = desk;
    const derived = own(objects.derive(cbcEncryptData(block), arrived(bench, unwrapped.root), derived128.transit));
    const envelope = objects.wrap(aesKeyWrap, arrived(bench, unwrapped.kek), derived, 40);
    must(envelope.length === 24, `an envelope of ${envelope.length} octets instead of 24`);
    must(same(openedWith(known, envelope), aesBlock(block)), "another key than aes128_encrypt gives");
    return "CKM_AES_CBC_ENCRYPT_DATA with IV 0, CKM_AES_KEY_WRAP";
  }),
  needed("blobs: keys of 256 bits are derived, wrap and unwrap; a changed blob is refused", (bench) => {
    const { desk, own } = bench;
    const { objects } = desk;
    const storage = base(bench);
    const wrapping = own(objects.derive(cbcEncryptData(blocks), storage, derived256.wrapping));
    const other = own(objects.derive(cbcEncryptData(blocks.toReversed()), storage, derived256.wrapping));
    const root = arrived(bench, unwrapped.transit);
    const blob = objects.wrap(aesKeyWrap, wrapping, root, 40);
    const again = own(objects.unwrap(aesKeyWrap, wrapping, blob, unwrapped.root));
    must(same(desk.sign(aesCmac, again, block, 16), new KeySchedule(known).cmac(block)), "another key came back");
    const word = refusal(() => own(objects.unwrap(aesKeyWrap, other, blob, unwrapped.root)), "a blob of another opens");
    return `a moved blob: ${word}`;
  }),
  needed("every session object has exactly the attributes that were asked for", (bench) => {
    const wrong = tryTemplates(bench.desk, base(bench));
    must(wrong.length === 0, wrong.join(", "));
    return "derived, unwrapped, copied";
  }),
  needed("keys are not read", (bench) => {
    const { objects } = bench.desk;
    for (const key of [base(bench), arrived(bench, unwrapped.transit), arrived(bench, unwrapped.root)])
      must(!objects.has(key, "VALUE"), "CKA_VALUE of a sensitive key was given out");
    return "CKA_VALUE is refused";
  }),
  needed("keys do only what they are for", (bench) => {
    const { desk, own } = bench;
    const { objects } = desk;
    const [storage, root, kek, transit] = [
      base(bench),
      arrived(bench, unwrapped.root),
      arrived(bench, unwrapped.kek),
      arrived(bench, unwrapped.transit),
    ];
    const words = [
      refusal(() => objects.wrap(aesKeyWrap, kek, root, 40), "a root key was wrapped"),
      refusal(() => objects.wrap(aesKeyWrap, transit, transit, 40), "a session key wraps"),
      refusal(() => desk.sign(aesCmac, kek, block, 16), "a KEK signs"),
      refusal(() => desk.encrypt(aesEcb, storage, block), "the storage key encrypts"),
      refusal(() => own(objects.derive(cbcEncryptData(block), transit, derived128.transit)), "a session key derives"),
      refusal(() => own(objects.copy(root, template({ EXTRACTABLE: true }))), "a copy of a root key may leave"),
    ];
    return [...new Set(words)].join(", ");
  }),
  needed("root keys can go to another vault, sealed", ({ desk, own }) => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 3072 });
    const { key, ciphertext } = makeTransport(desk, publicKey);
    own(key);
    const length = privateDecrypt({ key: privateKey, ...oaep }, ciphertext).length;
    must(length === 32, `a transport key of ${length} octets`);
    return "CKM_RSA_PKCS_OAEP, C_WrapKey";
  }),
  wished("a changed blob has a word of its own", ({ desk, own, ...bench }) => {
    const wrapping = own(
      desk.objects.derive(cbcEncryptData(blocks), base({ desk, own, ...bench }), derived256.wrapping),
    );
    const attempt = () => own(desk.objects.unwrap(aesKeyWrap, wrapping, new Uint8Array(24), unwrapped.root));
    const word = refusal(attempt, "24 zeros unwrap");
    must(
      word !== "CKR_GENERAL_ERROR",
      `${word} is said of everything: the token is asked each time whether it is there`,
    );
    return word;
  }),
];
