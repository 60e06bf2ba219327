/**
 * What each key may be used for, as whole templates: defaults differ between modules, and those of SoftHSM allow nearly everything.
 * Three keys live in the token for good; all others are session objects with the least usage that their purpose has.
 */
import { keyType, objectClass, type Template, template, ulongs, type Values } from "./attributes.ts";
import { numbers } from "./mechanisms.ts";

/** Nobody reads it, and what it may be used for cannot be changed later. */
const held = { PRIVATE: true, SENSITIVE: true, EXTRACTABLE: false, MODIFIABLE: false } as const;
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
const aes128 = { VALUE_LEN: 16 } as const;
const aes256 = { VALUE_LEN: 32 } as const;

/** Session objects by purpose. Where a key is unwrapped its length comes with it: a module refuses CKA_VALUE_LEN there. */
export const sessionKeys = {
  /** Under which root keys are wrapped into blobs, and unwrapped again; and what a sealed key is wrapped under (KT). */
  wrapping: template(session, aes256, { WRAP: true }),
  unwrapping: template(session, aes256, { UNWRAP: true }),
  /** A session key, made to be wrapped under its receiver's KEK and for nothing else. */
  derived: template(session, aes128, { EXTRACTABLE: true }),
  /** JSIntKey: the MIC of a join-accept and of a rejoin-request. */
  integrity: template(session, aes128, { SIGN: true }),
  /** JSEncKey: encrypts the answer to a rejoin-request, by AES decryption. */
  encryption: template(session, aes128, { DECRYPT: true }),
  /** A root key in a join. */
  root: template(session, { SIGN: true, DERIVE: true, DECRYPT: true }),
  /** The same, derived from a master key. */
  derivedRoot: template(session, aes128, { SIGN: true, DERIVE: true, DECRYPT: true }),
  /** A root key between two wrappings: it can do nothing else. */
  moving: template(session, { EXTRACTABLE: true }),
  kek: template(session, { WRAP: true }, only("AES_KEY_WRAP")),
  master: template(session, { DERIVE: true }, only("AES_CBC_ENCRYPT_DATA")),
  /** LORA-KDF-1's KL. */
  level: template(session, aes256, { DERIVE: true }, only("AES_CBC_ENCRYPT_DATA")),
  /** Extractable until its length was measured, then copied as `transport`. */
  newTransport: template(session, { EXTRACTABLE: true, MODIFIABLE: true, DERIVE: true }, only("AES_CBC_ENCRYPT_DATA")),
  transport: template({ EXTRACTABLE: false, MODIFIABLE: false }),
  /** Authenticates the vault's file. */
  pin: template(session, aes256, { SIGN: true }),
  /** Wraps what is only to be measured. */
  scale: template(session, aes256, { WRAP: true }),
} as const satisfies { readonly [purpose: string]: Template };

const inToken = { TOKEN: true } as const;
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
  storage: tokenKey("storage", { ...aes, ...aes256, DERIVE: true, ...only("AES_CBC_ENCRYPT_DATA") }),
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
