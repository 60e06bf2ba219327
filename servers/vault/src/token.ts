/**
 * What the vault needs of whatever holds its long-lived keys. `Handle`s stand for keys; how they are held is the engine's business: the
 * software engine has octets in this process, a PKCS #11 engine object handles (mechanism names in the comments). Operations above this
 * interface are written once for all engines.
 *
 * Every call is synchronous. An engine whose token is gone throws a `Fault` from every call, tries by itself to begin anew (at a later
 * call, not too often), and then counts `generation` up.
 */
import type { PublishedReceiver, Receiver } from "@trefoil/custody";
import type { VaultInfo } from "@trefoil/wire";

/**
 * What a key may do, so that an engine can give it that and nothing else. All are session objects, SENSITIVE.
 *
 * | use | AES | can | attributes of PKCS #11 |
 * |---|---|---|---|
 * | root | 128 | CMAC, derive 128, decrypt blocks | SIGN, DERIVE, DECRYPT |
 * | transit | 128 | only be wrapped, and go (session keys; root keys between seal and blob) | EXTRACTABLE |
 * | js-int | 128 | CMAC | SIGN |
 * | js-enc | 128 | decrypt blocks | DECRYPT |
 * | kek | 128, 192, 256 | wrap | WRAP |
 * | wrapping | 256 | wrap and unwrap: KT of sealed keys, keys of blobs | WRAP, UNWRAP |
 * | master | 256 | derive 256: a maker's master key | DERIVE |
 * | label | 256 | derive 128: KL of LORA-KDF-1 | DERIVE |
 */
export type KeyUse = "root" | "transit" | "js-int" | "js-enc" | "kek" | "wrapping" | "master" | "label";
export type Use128 = Extract<KeyUse, "root" | "transit" | "js-int" | "js-enc">;
export type Use256 = Extract<KeyUse, "wrapping" | "label">;
export type UnwrapUse = Extract<KeyUse, "root" | "transit" | "kek" | "master">;

export type Token<Handle> = {
  readonly engine: VaultInfo["engine"];
  /** Where the keys are, for people: module and token of PKCS #11; "this process" of the software engine. */
  readonly place: string;
  readonly published: PublishedReceiver;
  /** Realm owner's public key, pinned when the vault was made: SubjectPublicKeyInfo in base64. */
  readonly ownerPublicKey: string;
  /** P-256, SubjectPublicKeyInfo in base64. */
  readonly auditPublicKey: string;
  /** ECDSA over SHA-256 of the octets (CKM_ECDSA of the hash), r ‖ s, 64 octets. */
  signHead(octets: Uint8Array): Uint8Array;

  /** Slug of what is wrong with the token now, "token/absent" or the like. */
  fault(): string | undefined;
  /** Labels of long-lived keys that were missing or wrong when it was opened. */
  readonly damaged: readonly string[];
  /** Another one than before: all handles had before are void (they need not be destroyed). */
  readonly generation: number;
  /** Handles alive now: those given out and not yet destroyed, without the engine's own (`storageKey`). */
  handles(): number;

  /** Root keys at rest are wrapped under keys derived from this one. AES-256, derive 256. */
  readonly storageKey: Handle;
  /** RSA-OAEP, SHA-1, no label (CKM_RSA_PKCS_OAEP): a transport key of 32 octets (derives 256), or `undefined`. */
  openTransport(ciphertext: Uint8Array): Handle | undefined;
  /** A fresh transport key for a receiver that is another vault (CKM_AES_KEY_GEN, and C_WrapKey under its public key by CKM_RSA_PKCS_OAEP). */
  newTransport(receiver: Receiver): { readonly key: Handle; readonly ciphertext: Uint8Array };
  /** AES-CBC with IV 0 of two blocks under an AES-256 key, which is the storage key, a transport key or a master key (CKM_AES_CBC_ENCRYPT_DATA): an AES-256 key. */
  derive256(from: Handle, twoBlocks: Uint8Array, use: Use256): Handle;
  /** AES of one block under a key of use root or label, AES-128 or AES-256 (CKM_AES_CBC_ENCRYPT_DATA with IV 0): an AES-128 key. */
  derive128(from: Handle, block: Uint8Array, use: Use128): Handle;
  /** RFC 3394 (CKM_AES_KEY_WRAP). `undefined` when it was not wrapped under this key. Length of the key: that of `wrapped` less 8. */
  unwrap(wrappingKey: Handle, wrapped: Uint8Array, use: UnwrapUse): Handle | undefined;
  wrap(wrappingKey: Handle, key: Handle): Uint8Array;
  /** CKM_AES_CMAC, 16 octets. */
  cmac(key: Handle, message: Uint8Array): Uint8Array;
  /** CKM_AES_ECB decryption of whole blocks: how a join-accept is encrypted. */
  decryptBlocks(key: Handle, blocks: Uint8Array): Uint8Array;
  destroy(key: Handle): void;
  /** At the end of the process. */
  close(): void;
};

/** Runs `use`, and destroys every handle that it called its own, also when it throws. */
export function withHandles<Handle, T>(
  token: Token<Handle>,
  use: (own: <H extends Handle | undefined>(handle: H) => H) => T,
): T {
  const owned: Handle[] = [];
  try {
    return use((handle) => {
      if (handle !== undefined) owned.push(handle as Handle);
      return handle;
    });
  } finally {
    for (const handle of owned) token.destroy(handle);
  }
}
