/**
 * The shape of sealed keys (DESIGN §3). Made and opened in @trefoil/custody; documented in docs/sealed-key.md.
 * One RSA-OAEP ciphertext carries a fresh AES-256 transport key T; every key is AES-wrapped (RFC 3394) under its own
 * KT = AES-256-CBC(T, IV 0, SHA-256(version, role, JoinEUI, DevEUI, receiver's fingerprint)): a changed role, EUI or receiver is refused by the unwrap.
 */
export type SealedKeys = {
  readonly version: 1;
  /** Fingerprint of the receiver's public key: SHA-256 of its SubjectPublicKeyInfo, hex. */
  readonly to: string;
  /** RSA-OAEP (SHA-1, no label) of T, base64. Many devices of one batch may carry the same value: the receiver opens it once. */
  readonly transport: string;
  readonly keys: readonly SealedKey[];
};
export type SealedKey = {
  /** "AppKey", "NwkKey", "NwkSKey", "FNwkSIntKey", "SNwkSIntKey", "NwkSEncKey", "AppSKey", "GenAppKey", "KEK", "MasterKey" */
  readonly role: string;
  /** 16 hex digits; all zero where a key belongs to no device (a KEK) or a device has no JoinEUI (ABP). */
  readonly joinEui: string;
  readonly devEui: string;
  /** base64 */
  readonly wrapped: string;
};

/** A provisioner's word that what it sealed was never in the clear outside its HSM: base64 over "TREFOIL-PROVISION-1\0" ‖ canonical text (docs/sealed-key.md). */
export type Provision = { readonly publicKey: string; readonly signature: string };
