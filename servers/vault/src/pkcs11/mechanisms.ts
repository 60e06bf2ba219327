/**
 * The mechanisms that the vault uses, and no others, with parameters that the add-on can take: it aborts the process over wrong types.
 *
 * Spec: PKCS #11 v2.40, current mechanisms
 */

type Parameter =
  | { readonly type: number; readonly iv: Buffer; readonly data: Buffer }
  | { readonly type: number; readonly hashAlg: number; readonly mgf: number; readonly source: number };

/** Only this file makes one. */
export class Mechanism {
  readonly name: string;
  readonly native: { readonly mechanism: number; readonly parameter?: Parameter };
  constructor(name: string, mechanism: number, parameter?: Parameter) {
    this.name = name;
    this.native = parameter === undefined ? { mechanism } : { mechanism, parameter };
  }
}

export const numbers = {
  RSA_PKCS_KEY_PAIR_GEN: 0x0000,
  RSA_PKCS_OAEP: 0x0009,
  EC_KEY_PAIR_GEN: 0x1040,
  ECDSA: 0x1041,
  AES_KEY_GEN: 0x1080,
  AES_ECB: 0x1081,
  AES_CMAC: 0x108a,
  AES_CBC_ENCRYPT_DATA: 0x1105,
  AES_KEY_WRAP: 0x2109,
} as const;
const bare = (name: keyof typeof numbers) => new Mechanism(name, numbers[name]);

export const rsaKeyPairGen = bare("RSA_PKCS_KEY_PAIR_GEN");
export const ecKeyPairGen = bare("EC_KEY_PAIR_GEN");
export const ecdsa = bare("ECDSA");
export const aesKeyGen = bare("AES_KEY_GEN");
export const aesEcb = bare("AES_ECB");
export const aesCmac = bare("AES_CMAC");
export const aesKeyWrap = bare("AES_KEY_WRAP");

/** CKM_SHA_1, CKG_MGF1_SHA1, no label: what tokens have. The hash is not relied on for collision resistance there. */
export const rsaOaep = new Mechanism("RSA_PKCS_OAEP", numbers.RSA_PKCS_OAEP, {
  type: 4, // CK_PARAMS_RSA_OAEP of the add-on
  hashAlg: 0x220,
  mgf: 1,
  source: 1,
});

const noIv = Buffer.alloc(16);
/** AES-CBC with IV 0 of one block (which is AES of it) or of two: the derived key is the ciphertext, and stays in the token. */
export function cbcEncryptData(blocks: Uint8Array): Mechanism {
  if (!(blocks instanceof Uint8Array) || (blocks.length !== 16 && blocks.length !== 32))
    throw new TypeError("a key is derived with one block or two");
  return new Mechanism("AES_CBC_ENCRYPT_DATA", numbers.AES_CBC_ENCRYPT_DATA, {
    type: 1, // CK_PARAMS_AES_CBC of the add-on
    iv: noIv,
    data: Buffer.from(blocks.buffer, blocks.byteOffset, blocks.length),
  });
}
