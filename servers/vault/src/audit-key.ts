/** The vault's audit key as the world sees it: P-256, ECDSA over SHA-256, r ‖ s. */
import { createPublicKey, type KeyObject, verify } from "node:crypto";

/** Of SubjectPublicKeyInfo in base64. Throws on anything else: it is the vault's own. */
export const publicKeyOf = (spki: string): KeyObject =>
  createPublicKey({ key: Buffer.from(spki, "base64"), format: "der", type: "spki" });

export const isSignedBy = (auditPublicKey: string, octets: Uint8Array, signature: Uint8Array): boolean =>
  verify("sha256", octets, { key: publicKeyOf(auditPublicKey), dsaEncoding: "ieee-p1363" }, signature);
