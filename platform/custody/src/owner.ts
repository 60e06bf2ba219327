/** The realm owner's key: Ed25519, kept outside every server, its private half encrypted with a passphrase. The vault pins the public half. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { parseBase64, toBase64 } from "./octets.ts";

/** A new realm owner: the private key as PKCS #8 PEM encrypted with the passphrase, the public key as SubjectPublicKeyInfo in base64. */
export function makeOwnerKey(passphrase: string): { readonly privateKeyPem: string; readonly publicKey: string } {
  const { privateKey } = generateKeyPairSync("ed25519");
  return {
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase }).toString(),
    publicKey: toBase64(createPublicKey(privateKey).export({ type: "spki", format: "der" })),
  };
}

/** `undefined` when the passphrase does not open it. */
export function openOwnerKey(privateKeyPem: string, passphrase: string): KeyObject | undefined {
  try {
    const key = createPrivateKey({ key: privateKeyPem, format: "pem", passphrase });
    return key.asymmetricKeyType === "ed25519" ? key : undefined;
  } catch {
    return undefined;
  }
}

export function parseOwnerPublicKey(publicKey: unknown): KeyObject | undefined {
  const key = parsePublicKey(publicKey);
  return key?.asymmetricKeyType === "ed25519" ? key : undefined;
}

/** A key that signatures are verified with: Ed25519, or P-256 (ECDSA over SHA-256). SubjectPublicKeyInfo in base64. */
export function parseSigner(publicKey: unknown): KeyObject | undefined {
  const key = parsePublicKey(publicKey);
  if (key?.asymmetricKeyType === "ed25519") return key;
  return key?.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1" ? key : undefined;
}

function parsePublicKey(publicKey: unknown): KeyObject | undefined {
  const der = parseBase64(publicKey);
  if (der === undefined) return undefined;
  try {
    return createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
  } catch {
    return undefined;
  }
}
