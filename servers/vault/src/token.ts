/**
 * What the vault needs of whatever holds its long-lived keys. `Handle`s stand for keys; how they are held is the engine's business: the
 * software engine has octets in this process, a PKCS #11 engine object handles (mechanism names in the comments). Operations above this
 * interface are written once for all engines.
 */
import type { PublishedReceiver } from "@trefoil/custody";
import type { VaultInfo } from "@trefoil/wire";

export type Token<Handle> = {
  readonly engine: VaultInfo["engine"];
  readonly published: PublishedReceiver;
  /** Realm owner's public key, pinned when the vault was made: SubjectPublicKeyInfo in base64. */
  readonly ownerPublicKey: string;
  /** Root keys at rest are wrapped under keys derived from this one. AES-256. */
  readonly storageKey: Handle;
  /** RSA-OAEP, SHA-1, no label (CKM_RSA_PKCS_OAEP): a transport key of 32 octets, or `undefined`. */
  openTransport(ciphertext: Uint8Array): Handle | undefined;
  /** AES-CBC with IV 0 of two blocks under an AES-256 key (CKM_AES_CBC_ENCRYPT_DATA): an AES-256 wrapping key. */
  deriveWrappingKey(from: Handle, twoBlocks: Uint8Array): Handle;
  /** AES of one block under an AES-128 key (CKM_AES_CBC_ENCRYPT_DATA with IV 0): an AES-128 key. */
  deriveKey(from: Handle, block: Uint8Array): Handle;
  /** RFC 3394 (CKM_AES_KEY_WRAP). `undefined` when it was not wrapped under this key. */
  unwrap(wrappingKey: Handle, wrapped: Uint8Array): Handle | undefined;
  wrap(wrappingKey: Handle, key: Handle): Uint8Array;
  /** CKM_AES_CMAC, 16 octets. */
  cmac(key: Handle, message: Uint8Array): Uint8Array;
  /** CKM_AES_ECB decryption of whole blocks: how a join-accept is encrypted. */
  decryptBlocks(key: Handle, blocks: Uint8Array): Uint8Array;
  destroy(key: Handle): void;
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
