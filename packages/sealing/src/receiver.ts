/** Whom keys are sealed to: an RSA public key, named by the SHA-256 of its SubjectPublicKeyInfo. */
import { parseBase64, toBase64, toHex } from "./octets.ts";
import { type HeldKey, subtle } from "./webcrypto.ts";

const modulusBits = { least: 3072, most: 8192 };

export type Receiver = {
  /** Can encrypt a transport key, and do nothing else. */
  readonly publicKey: HeldKey;
  /** 64 hex digits. A person compares it with what the receiver's operator reads out (showFingerprint). */
  readonly fingerprint: string;
};

/** Reads SubjectPublicKeyInfo (DER in base64). `undefined` for anything but an RSA key of 3072 to 8192 bits. */
export async function parseReceiver(spkiBase64: string): Promise<Receiver | undefined> {
  const spki = parseBase64(spkiBase64);
  if (spki === undefined) return undefined;
  try {
    // SHA-1 inside OAEP is what PKCS #11 tokens have; no collision resistance is asked of it there.
    const algorithm = { name: "RSA-OAEP", hash: "SHA-1" };
    const publicKey = await subtle.importKey("spki", spki, algorithm, true, ["wrapKey"]);
    const { modulusLength = 0 } = publicKey.algorithm as { readonly modulusLength?: number };
    if (modulusLength < modulusBits.least || modulusLength > modulusBits.most) return undefined;
    // One key, one fingerprint: octets after the key, or another way of writing it, are refused.
    const written = new Uint8Array(await subtle.exportKey("spki", publicKey));
    if (toBase64(written) !== spkiBase64) return undefined;
    return { publicKey, fingerprint: toHex(new Uint8Array(await subtle.digest("SHA-256", spki))) };
  } catch {
    return undefined; // WebCrypto's only way to say that it is no RSA public key
  }
}
