/** The software vault at rest: `vault.json`, its secrets encrypted under the master passphrase and bound to the pinned owner. */
import { createPublicKey, generateKeyPairSync, randomFillSync } from "node:crypto";
import { join } from "node:path";
import {
  encodeSealingKey,
  makeSealingKeyPair,
  parseOwnerPublicKey,
  secretOctets,
  takeSecret,
  toBase64,
} from "@trefoil/custody";
import { Fault } from "@trefoil/service";
import type { VaultInfo } from "@trefoil/wire";
import { readJson, writeDurably } from "./files.ts";
import {
  decryptSecret,
  encryptSecret,
  generatePassphrase,
  type Kdf,
  masterKey,
  newKdf,
  passphrasePath,
  readPassphrase,
} from "./passphrase.ts";
import type { SoftwareSecrets } from "./software-token.ts";

const format = 2;
const secretNames = ["sealingKey", "auditKey", "storageKey"] as const;
type SecretName = (typeof secretNames)[number];

type VaultFile = {
  readonly format: typeof format;
  readonly engine: "software";
  /** Changing it makes the secrets unreadable: it is authenticated with them. */
  readonly ownerPublicKey: string;
  readonly kdf: Kdf;
} & { readonly [name in SecretName]: string };

const vaultPath = (dataDir: string) => join(dataDir, "vault.json");
const about = (name: SecretName, ownerPublicKey: string) => `TREFOIL-VAULT-${format}\0${name}\0${ownerPublicKey}`;
const never = (code: string, message: string) => new Fault(code, message, { retry: "never" });

export type InitVault = { readonly dataDir: string; readonly ownerPublicKey: string; readonly passphraseFile?: string };

/** Makes a vault: its keys, encrypted at rest, and the pinned owner. Refuses to touch one that exists. */
export function initVault({ dataDir, ownerPublicKey, passphraseFile }: InitVault): VaultInfo {
  if (parseOwnerPublicKey(ownerPublicKey) === undefined)
    throw never("vault/no-owner", "the realm owner's public key is not an Ed25519 key");
  if (readJson(vaultPath(dataDir)) !== undefined) throw never("vault/exists", `there is a vault in ${dataDir} already`);
  const path = passphrasePath(dataDir, passphraseFile);
  if (path === passphrasePathOfOwn(dataDir)) generatePassphrase(path);

  const sealing = makeSealingKeyPair();
  const audit = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
  const secrets = {
    sealingKey: takeSecret(encodeSealingKey(sealing.privateKey)),
    auditKey: takeSecret(audit.export({ format: "der", type: "pkcs8" })),
    storageKey: randomFillSync(secretOctets(32)),
  };
  const kdf = newKdf();
  withMaster(path, kdf, (master) => {
    const encrypted = secretNames.map((name) => [
      name,
      encryptSecret(master, secrets[name], about(name, ownerPublicKey)),
    ]);
    const file = { format, engine: "software", ownerPublicKey, kdf, ...Object.fromEntries(encrypted) } as VaultFile;
    writeDurably(vaultPath(dataDir), `${JSON.stringify(file, undefined, 2)}\n`);
  });
  for (const name of secretNames) secrets[name].fill(0);
  const auditKey = toBase64(createPublicKey(audit).export({ format: "der", type: "spki" }));
  return { engine: "software", ...sealing.published, auditKey };
}

/** Opens what initVault made. */
export function openVaultFile(dataDir: string, passphraseFile: string | undefined): SoftwareSecrets {
  const file = readJson(vaultPath(dataDir)) as VaultFile | undefined;
  if (file === undefined) throw never("vault/none", `there is no vault in ${dataDir}: run trefoil init`);
  if (file.engine !== "software" || file.format !== format)
    throw never(
      "vault/newer",
      `the vault in ${dataDir} is of another version or engine: this one is told to use software, format ${format}`,
    );
  const { ownerPublicKey, kdf } = file;
  return withMaster(passphrasePath(dataDir, passphraseFile), kdf, (master) => {
    const open = (name: SecretName) => {
      const secret = decryptSecret(master, file[name], about(name, ownerPublicKey));
      if (secret === undefined)
        throw never("vault/locked", "the vault does not open: wrong passphrase, or its file was changed");
      return secret;
    };
    return {
      ownerPublicKey,
      sealingKey: open("sealingKey"),
      auditKey: open("auditKey"),
      storageKey: open("storageKey"),
    };
  });
}

const passphrasePathOfOwn = (dataDir: string) => join(dataDir, "passphrase");

function withMaster<T>(path: string, kdf: Kdf, use: (master: Uint8Array) => T): T {
  const passphrase = readPassphrase(path);
  const master = masterKey(passphrase, kdf);
  passphrase.fill(0);
  try {
    return use(master);
  } finally {
    master.fill(0);
  }
}
