/**
 * The file of a vault whose keys are in a token: nothing in it is secret, all of it is authenticated by a CMAC under a key that is derived
 * from the storage key inside the token. Whoever can write the file cannot exchange the owner, or any other line of it.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { isRecord, parseOwnerPublicKey, parseReceiver } from "@trefoil/custody";
import { Fault } from "@trefoil/service";
import { publicKeyOf } from "../audit-key.ts";
import { readJson, writeDurably } from "../files.ts";
import { isBase64Of } from "./shapes.ts";

export const vaultFormat = 2;

export type Pinned = {
  readonly ownerPublicKey: string;
  readonly tokenLabel: string;
  /** CKA_ID of the three keys, hex. */
  readonly id: string;
  /** SubjectPublicKeyInfo in base64. */
  readonly sealingKey: string;
  readonly auditKey: string;
};
/** `check`: CMAC of a fixed string, base64: is it the same storage key? `mac`: CMAC of all that is pinned. */
export type PinnedFile = Pinned & {
  readonly format: 2;
  readonly engine: "pkcs11";
  readonly check: string;
  readonly mac: string;
};

const path = (dataDir: string) => join(dataDir, "vault.json");

/** Two blocks: what the authenticating key is derived with. Blobs' contexts are other hashes. */
export const pinContext: Uint8Array = createHash("sha256").update("TREFOIL-PKCS11-PIN-1\0", "ascii").digest();
export const checkText = Buffer.from("TREFOIL-PKCS11-CHECK-1", "ascii");
export const pinnedText = ({ ownerPublicKey, tokenLabel, id, sealingKey, auditKey }: Pinned): Uint8Array =>
  Buffer.from(`TREFOIL-PKCS11-VAULT-1\0${JSON.stringify([ownerPublicKey, tokenLabel, id, sealingKey, auditKey])}`);

export const writePinned = (dataDir: string, file: PinnedFile): void =>
  writeDurably(path(dataDir), `${JSON.stringify(file, undefined, 2)}\n`);

export const existsVault = (dataDir: string): boolean => readJson(path(dataDir)) !== undefined;

export function readPinned(dataDir: string): PinnedFile {
  const file = readJson(path(dataDir));
  const fault = (code: string, message: string) => new Fault(code, message, { retry: "never" });
  if (file === undefined) throw fault("vault/none", `there is no vault in ${dataDir}: run trefoil init`);
  if (!isRecord(file)) throw fault("vault/damaged", `vault.json in ${dataDir} is damaged: restore it from a backup`);
  if (file.format !== vaultFormat || file.engine !== "pkcs11")
    throw fault(
      "vault/newer",
      `the vault in ${dataDir} is of another version or engine: this one is told to use pkcs11, format ${vaultFormat}`,
    );
  const { ownerPublicKey, tokenLabel, id, sealingKey, auditKey, check, mac } = file;
  if (
    parseOwnerPublicKey(ownerPublicKey) === undefined ||
    parseReceiver(sealingKey) === undefined ||
    typeof tokenLabel !== "string" ||
    !isP256(auditKey) ||
    typeof id !== "string" ||
    !isBase64Of(check, 16) ||
    !isBase64Of(mac, 16)
  )
    throw fault("vault/damaged", `vault.json in ${dataDir} is damaged: restore it from a backup`);
  return file as PinnedFile;
}

function isP256(spki: unknown): spki is string {
  try {
    return typeof spki === "string" && publicKeyOf(spki).asymmetricKeyDetails?.namedCurve === "prime256v1";
  } catch {
    return false;
  }
}
