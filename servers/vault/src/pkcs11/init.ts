/** Makes a vault whose long-lived keys are born in the token and never leave it. Nothing secret is written beside it. */
import { randomBytes } from "node:crypto";
import { parseOwnerPublicKey, parseReceiver, toBase64, toHex } from "@trefoil/custody";
import { Fault } from "@trefoil/service";
import type { VaultInfo } from "@trefoil/wire";
import { template } from "./attributes.ts";
import type { Desk } from "./desk.ts";
import { labelOf, publicKeys, tokenKeyNames, tokenKeys } from "./keys.ts";
import { aesKeyGen, ecKeyPairGen, rsaKeyPairGen } from "./mechanisms.ts";
import { loadModule, type ObjectHandle } from "./module.ts";
import { macOf, openDeskPatiently, openKeys } from "./open.ts";
import { checkText, existsVault, type Pinned, pinnedText, vaultFormat, writePinned } from "./pinned.ts";
import { p256PublicKey, rsaPublicKey } from "./public-keys.ts";

/** `vault.pkcs11` of the configuration. */
export type Pkcs11Options = {
  /** Path of the PKCS #11 module. */
  readonly module: string;
  readonly tokenLabel: string;
  /** A file of mode 0600, or `credential:NAME`. */
  readonly pinFile: string;
  /** The module's own environment variables. Never a PIN. */
  readonly environment?: { readonly [name: string]: string };
};
export type InitPkcs11 = { readonly dataDir: string; readonly ownerPublicKey: string; readonly pkcs11: Pkcs11Options };

/** Refuses to touch a vault that exists, in the folder or in the token. What was made is taken back when something fails. */
export function initPkcs11({ dataDir, ownerPublicKey, pkcs11 }: InitPkcs11): VaultInfo {
  const never = (code: string, message: string) => new Fault(code, message, { retry: "never" });
  if (parseOwnerPublicKey(ownerPublicKey) === undefined)
    throw never("vault/no-owner", "the realm owner's public key is not an Ed25519 key");
  if (existsVault(dataDir)) throw never("vault/exists", `there is a vault in ${dataDir} already`);

  const module = loadModule(pkcs11.module, pkcs11.environment);
  const desk = openDeskPatiently(module, pkcs11);
  const made: ObjectHandle[] = [];
  try {
    const taken = tokenKeyNames.filter((name) => desk.find(template({ LABEL: labelOf(name) })).length > 0);
    if (taken.length > 0)
      throw never(
        "vault/token-taken",
        `the token ${pkcs11.tokenLabel} holds keys of another vault already (${taken.map(labelOf).join(", ")}): use an empty token`,
      );
    const id = randomBytes(16);
    const { storage, ...published } = makeKeys(desk, id, (object) => made.push(object));
    const pinned: Pinned = { ownerPublicKey, tokenLabel: pkcs11.tokenLabel, id: toHex(id), ...published };
    const check = toBase64(macOf(desk, storage, checkText));
    const mac = toBase64(macOf(desk, storage, pinnedText(pinned)));
    const file = { format: vaultFormat, engine: "pkcs11", ...pinned, check, mac } as const;
    openKeys(module, desk, file); // reads back what was made, and uses it: before anybody counts on it
    writePinned(dataDir, file);
    return infoOf(pinned);
  } catch (error) {
    for (const object of made) desk.objects.destroy(object);
    throw error;
  } finally {
    desk.close();
    module.finalise();
  }
}

/** What a vault publishes of itself. */
export function infoOf({ sealingKey, auditKey }: Pick<Pinned, "sealingKey" | "auditKey">): VaultInfo {
  const receiver = parseReceiver(sealingKey);
  if (receiver === undefined)
    throw new Fault("pkcs11/no-public-key", "the PKCS #11 module made no usable RSA key", { retry: "never" });
  return { engine: "pkcs11", publicKey: sealingKey, fingerprint: receiver.fingerprint, auditKey };
}

function makeKeys(desk: Desk, id: Uint8Array, made: (object: ObjectHandle) => void) {
  const { objects } = desk;
  const storage = objects.generateKey(aesKeyGen, tokenKeys.storage.made(id));
  made(storage);
  const sealing = objects.generateKeyPair(rsaKeyPairGen, publicKeys.sealing, tokenKeys.sealing.made(id));
  made(sealing.privateKey);
  const audit = objects.generateKeyPair(ecKeyPairGen, publicKeys.audit, tokenKeys.audit.made(id));
  made(audit.privateKey);
  const sealingKey = rsaPublicKey(objects, sealing.publicKey);
  const auditKey = p256PublicKey(objects, audit.publicKey);
  for (const { publicKey } of [sealing, audit]) objects.destroy(publicKey);
  if (sealingKey === undefined || auditKey === undefined)
    throw new Fault("pkcs11/no-public-key", "the PKCS #11 module shows no public keys", { retry: "never" });
  return { storage, sealingKey, auditKey };
}
