/**
 * What each key may be used for, as whole templates: defaults differ between modules, and those of SoftHSM allow nearly everything.
 * Three keys live in the token for good; all others are session objects with the least usage that their purpose has.
 */

import type { KeyUse } from "../token.ts";
import { keyType, objectClass, type Template, template, ulongs, type Values } from "./attributes.ts";
import { numbers } from "./mechanisms.ts";

/** Nobody reads it. */
const held = { PRIVATE: true, SENSITIVE: true, EXTRACTABLE: false } as const;
/** What it may be used for cannot be changed later: said of keys that stay. It costs a join 8 %, and those of a join are gone with it. */
const stays = { MODIFIABLE: false } as const;
const aes = {
  ...{ CLASS: objectClass.secretKey, KEY_TYPE: keyType.aes, ...held },
  ...{ ENCRYPT: false, DECRYPT: false, WRAP: false, UNWRAP: false, SIGN: false, VERIFY: false, DERIVE: false },
} as const;
const privateKey = {
  ...{ CLASS: objectClass.privateKey, ...held },
  ...{ DECRYPT: false, UNWRAP: false, SIGN: false, SIGN_RECOVER: false, DERIVE: false },
} as const;
const only = (mechanism: keyof typeof numbers): Values => ({ ALLOWED_MECHANISMS: ulongs(numbers[mechanism]) });

const session = { ...aes, TOKEN: false } as const;

/**
 * Session objects by use (token.ts). A key that is unwrapped brings its length along: modules refuse CKA_VALUE_LEN there, and want it
 * where a key is derived.
 */
const uses = {
  root: template(session, { SIGN: true, DERIVE: true, DECRYPT: true }),
  transit: template(session, { EXTRACTABLE: true }),
  "js-int": template(session, { SIGN: true }),
  "js-enc": template(session, { DECRYPT: true }),
  kek: template(session, stays, { WRAP: true }, only("AES_KEY_WRAP")),
  wrapping: template(session, { WRAP: true, UNWRAP: true }),
  master: template(session, stays, { DERIVE: true }, only("AES_CBC_ENCRYPT_DATA")),
  label: template(session, stays, { DERIVE: true }, only("AES_CBC_ENCRYPT_DATA")),
  /** Of a sealed key. Extractable until its length was measured, or it was wrapped for its receiver; then `transport` is a copy. */
  "new transport": template(session, { EXTRACTABLE: true, DERIVE: true }, only("AES_CBC_ENCRYPT_DATA")),
  /** Authenticates the vault's file. */
  pin: template(session, { SIGN: true }),
} as const satisfies { readonly [use in KeyUse | "new transport" | "pin"]: Template };
export type SessionUse = keyof typeof uses;
export const sessionUses = Object.keys(uses) as readonly SessionUse[];

const ofLength = (VALUE_LEN: number) =>
  Object.fromEntries(sessionUses.map((use) => [use, template(uses[use].values, { VALUE_LEN })])) as {
    readonly [use in SessionUse]: Template;
  };
export const unwrapped = uses;
export const derived128 = ofLength(16);
export const derived256 = ofLength(32);
/** What `new transport` becomes. */
export const transportChange = template({ EXTRACTABLE: false, ...stays });
export const transport = template(uses["new transport"].values, transportChange.values);

const inToken = { TOKEN: true, ...stays } as const;
const born = { NEVER_EXTRACTABLE: true, ALWAYS_SENSITIVE: true } as const;

export const tokenKeyNames = ["storage", "sealing", "audit"] as const;
export type TokenKeyName = (typeof tokenKeyNames)[number];
export const labelOf = (name: TokenKeyName) => `trefoil-${name}`;

/** `made`: what the token is told to make; `wanted`: what it must say of the key ever after. */
const tokenKey = (name: TokenKeyName, values: Values) => ({
  made: (ID: Uint8Array) => template(values, inToken, { LABEL: labelOf(name), ID }),
  wanted: template(values, inToken, born, { LABEL: labelOf(name) }),
});
export const tokenKeys = {
  storage: tokenKey("storage", { ...aes, VALUE_LEN: 32, DERIVE: true, ...only("AES_CBC_ENCRYPT_DATA") }),
  sealing: tokenKey("sealing", { ...privateKey, KEY_TYPE: keyType.rsa, UNWRAP: true, ...only("RSA_PKCS_OAEP") }),
  audit: tokenKey("audit", { ...privateKey, KEY_TYPE: keyType.ec, SIGN: true, ...only("ECDSA") }),
} as const satisfies { readonly [name in TokenKeyName]: object };

/** DER of the OID of P-256 (prime256v1). */
export const p256 = Uint8Array.from([0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]);
export const sealingModulusBits = 3072;
/** The public halves are read once and written into the vault's file: the token need not keep them. */
export const publicKeys = {
  sealing: template({
    CLASS: objectClass.publicKey,
    KEY_TYPE: keyType.rsa,
    TOKEN: false,
    PRIVATE: false,
    MODULUS_BITS: sealingModulusBits,
    PUBLIC_EXPONENT: Uint8Array.of(1, 0, 1),
    ENCRYPT: false,
    VERIFY: false,
    WRAP: true,
  }),
  audit: template({
    CLASS: objectClass.publicKey,
    KEY_TYPE: keyType.ec,
    TOKEN: false,
    PRIVATE: false,
    EC_PARAMS: p256,
    ENCRYPT: false,
    VERIFY: true,
    WRAP: false,
  }),
} as const;
