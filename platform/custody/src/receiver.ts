/** Who keys can be sealed to: an RSA key pair of 3072 bits or more, named by the SHA-256 of its public half. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { parseBase64, toBase64 } from "./octets.ts";

export const minimumModulusBits = 3072;

export type Receiver = {
  readonly publicKey: KeyObject;
  /** SHA-256 of the SubjectPublicKeyInfo, hex. People compare this by eye. */
  readonly fingerprint: string;
};
/** What a receiver tells the world: the answer to GET /sealing-key, and part of GET /vault. */
export type PublishedReceiver = { readonly publicKey: string; readonly fingerprint: string };

const derOf = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" });

/** SHA-256 of a public key's SubjectPublicKeyInfo, hex. */
export const fingerprintOf = (publicKey: KeyObject): string =>
  createHash("sha256").update(derOf(publicKey)).digest("hex");

/** Reads SubjectPublicKeyInfo (DER in base64). `undefined` for anything but an RSA key that is long enough. */
export function parseReceiver(publicKey: unknown): Receiver | undefined {
  const der = parseBase64(publicKey);
  if (der === undefined) return undefined;
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
  } catch {
    return undefined;
  }
  if (key.asymmetricKeyType !== "rsa" || (key.asymmetricKeyDetails?.modulusLength ?? 0) < minimumModulusBits)
    return undefined;
  return { publicKey: key, fingerprint: fingerprintOf(key) };
}

/** The public half of a sealing key, as it is published. */
export function publishReceiver(privateKey: KeyObject): PublishedReceiver {
  const publicKey = createPublicKey(privateKey);
  return { publicKey: toBase64(derOf(publicKey)), fingerprint: fingerprintOf(publicKey) };
}

/** A new sealing key pair, for a server that shall receive sealed keys. Takes some hundred milliseconds. */
export function makeSealingKeyPair(): { readonly privateKey: KeyObject; readonly published: PublishedReceiver } {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: minimumModulusBits });
  return { privateKey, published: publishReceiver(privateKey) };
}

/** Contents of a server's own `sealing.key` file (0600): PKCS #8 in DER. The caller wipes the octets once written. */
export const encodeSealingKey = (privateKey: KeyObject): Buffer => privateKey.export({ type: "pkcs8", format: "der" });
export const decodeSealingKey = (octets: Buffer): KeyObject =>
  createPrivateKey({ key: octets, format: "der", type: "pkcs8" });
