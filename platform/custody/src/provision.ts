/**
 * A provisioner's signature over sealed keys (docs/sealed-key.md): its word that they were never in the clear outside its HSM. What
 * is signed is "TREFOIL-PROVISION-1\0" ‖ SHA-256 of one exact JSON text, so that a small signer needs to be given 52 octets.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import type { Provision, SealedKeys } from "@trefoil/wire";
import { parseBase64, toBase64 } from "./octets.ts";
import { parseSigner } from "./owner.ts";

const context = Buffer.from("TREFOIL-PROVISION-1\0", "ascii");

/** Members in this order, no white space, nothing else: version, to, transport, keys of role, joinEui, devEui, wrapped. */
export const canonicalSealedKeys = ({ version, to, transport, keys }: SealedKeys): string =>
  JSON.stringify({
    version,
    to,
    transport,
    keys: keys.map(({ role, joinEui, devEui, wrapped }) => ({ role, joinEui, devEui, wrapped })),
  });

/** The octets that a provisioner signs: 52. */
export const provisionText = (sealed: SealedKeys): Uint8Array =>
  Buffer.concat([context, createHash("sha256").update(canonicalSealedKeys(sealed), "utf8").digest()]);

/** Ed25519, or ECDSA on P-256 over SHA-256 with the signature as r ‖ s (IEEE P1363), as tokens make it. */
const scheme = (key: KeyObject) =>
  key.asymmetricKeyType === "ed25519"
    ? { algorithm: null, with: { key } }
    : { algorithm: "sha256", with: { key, dsaEncoding: "ieee-p1363" as const } };

export function signProvision(provisioner: KeyObject, sealed: SealedKeys): Provision {
  const publicKey = toBase64(createPublicKey(provisioner).export({ type: "spki", format: "der" }));
  if (parseSigner(publicKey) === undefined) throw new RangeError("a provisioner's key is Ed25519 or P-256");
  const { algorithm, with: key } = scheme(provisioner);
  return { publicKey, signature: toBase64(sign(algorithm, provisionText(sealed), key)) };
}

/** Whether the signature is of this key. Whose key it is, the owner's statements say. */
export function isProvisionOf(sealed: SealedKeys, { publicKey, signature }: Provision): boolean {
  const signer = parseSigner(publicKey);
  const octets = parseBase64(signature);
  if (signer === undefined || octets?.length !== 64) return false;
  const { algorithm, with: key } = scheme(signer);
  return verify(algorithm, provisionText(sealed), key, octets);
}
