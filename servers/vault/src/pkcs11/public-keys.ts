/** Public halves of keys in a token, as SubjectPublicKeyInfo in base64; and what else is done with public things. */
import { createHash, createPublicKey, type JsonWebKey } from "node:crypto";
import { toBase64 } from "@trefoil/custody";
import { attributes } from "./attributes.ts";
import type { ObjectHandle, Session } from "./module.ts";

const spki = (key: JsonWebKey): string =>
  toBase64(createPublicKey({ key, format: "jwk" }).export({ type: "spki", format: "der" }));
const base64url = (octets: Uint8Array): string => Buffer.from(octets).toString("base64url");

export const sha256 = (octets: Uint8Array): Uint8Array => createHash("sha256").update(octets).digest();

/** Of a public key, or of a private one: RSA private keys show both. */
export function rsaPublicKey(session: Session, key: ObjectHandle): string | undefined {
  const read = session.read(key, ["MODULUS", "PUBLIC_EXPONENT"]);
  const [n, e] = [read.get(attributes.MODULUS[0]), read.get(attributes.PUBLIC_EXPONENT[0])];
  return n?.length && e?.length ? spki({ kty: "RSA", n: base64url(n), e: base64url(e) }) : undefined;
}

/** CKA_EC_POINT: an OCTET STRING in DER with the uncompressed point; some modules leave the wrapping out. */
export function p256PublicKey(session: Session, key: ObjectHandle): string | undefined {
  const octets = session.read(key, ["EC_POINT"]).get(attributes.EC_POINT[0]);
  const point = octets?.length === 67 && octets[0] === 4 && octets[1] === 65 ? octets.subarray(2) : octets;
  if (point?.length !== 65 || point[0] !== 4) return undefined;
  return spki({ kty: "EC", crv: "P-256", x: base64url(point.subarray(1, 33)), y: base64url(point.subarray(33)) });
}
