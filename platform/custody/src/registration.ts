/**
 * What only the realm owner may cause (docs/authority.md). The owner's Ed25519 key lives outside every server; the vault holds the
 * public half and believes nothing else. The exact text is signed, so no two readers can take it differently.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import type { Registration, SignedRegistration } from "@trefoil/wire";
import { isKekLabel } from "./envelope.ts";
import { noEui, parseBase64, toBase64 } from "./octets.ts";
import { parseSealedKeys } from "./opening.ts";

const context = "TREFOIL-REGISTRATION-1\0";
const maximumPayload = 16_384;

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
  const der = parseBase64(publicKey);
  if (der === undefined) return undefined;
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
    return key.asymmetricKeyType === "ed25519" ? key : undefined;
  } catch {
    return undefined;
  }
}

const signedText = (payload: string) => Buffer.from(context + payload, "utf8");

export function signRegistration(owner: KeyObject, registration: Registration): SignedRegistration {
  if (parseRegistration(registration) === undefined)
    throw new RangeError("not a registration that a vault would accept");
  const payload = JSON.stringify(registration);
  return { payload, signature: toBase64(sign(null, signedText(payload), owner)) };
}

export type VerifiedRegistration =
  | { readonly result: "valid"; readonly registration: Registration }
  | { readonly result: "refused"; readonly code: "registration/malformed" | "registration/not-signed-by-owner" };

/** Checks the signature first: an unsigned text is not even parsed. */
export function verifyRegistration(owner: KeyObject, signed: unknown): VerifiedRegistration {
  const { payload, signature } = (typeof signed === "object" && signed !== null ? signed : {}) as {
    readonly [name: string]: unknown;
  };
  const octets = parseBase64(signature);
  if (typeof payload !== "string" || payload.length > maximumPayload || octets === undefined)
    return { result: "refused", code: "registration/malformed" };
  if (!verify(null, signedText(payload), owner, octets))
    return { result: "refused", code: "registration/not-signed-by-owner" };
  const registration = parseRegistration(parseJson(payload));
  return registration === undefined
    ? { result: "refused", code: "registration/malformed" }
    : { result: "valid", registration };
}

export const isNetId = (value: unknown): value is string => typeof value === "string" && /^[0-9a-f]{6}$/.test(value);
export const isAsId = (value: unknown): value is string =>
  typeof value === "string" && value.length <= 128 && /^[\x21-\x7e]+$/.test(value);

function parseRegistration(value: unknown): Registration | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { version, kind, label, netId, asId, kek, issuedAt } = value as { readonly [name: string]: unknown };
  if (version !== 1 || kind !== "kek" || !isKekLabel(label)) return undefined;
  if (typeof issuedAt !== "number" || !Number.isSafeInteger(issuedAt) || issuedAt < 0) return undefined;
  const sealed = parseSealedKeys(kek);
  const [key, ...more] = sealed?.keys ?? [];
  if (sealed === undefined || key === undefined || more.length > 0) return undefined;
  if (key.role !== "KEK" || key.joinEui !== noEui || key.devEui !== noEui) return undefined;
  const common = { version, kind, label, kek: sealed, issuedAt } as const;
  if (isNetId(netId) && asId === undefined) return { ...common, netId };
  if (isAsId(asId) && netId === undefined) return { ...common, asId };
  return undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
