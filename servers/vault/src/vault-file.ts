/**
 * The software vault at rest: `vault.json` (secrets encrypted under the master passphrase, bound to the pinned owner), and
 * `registrations.json` (the owner's signed KEK registrations, public but for what is sealed inside).
 */
import { randomFillSync } from "node:crypto";
import { join } from "node:path";
import { encodeSealingKey, makeSealingKeyPair, parseOwnerPublicKey, secretOctets, takeSecret } from "@trefoil/custody";
import { Fault } from "@trefoil/service";
import type { SignedRegistration, VaultInfo } from "@trefoil/wire";
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

type VaultFile = {
  readonly format: 1;
  readonly engine: "software";
  /** Changing it makes the secrets unreadable: it is authenticated with them. */
  readonly ownerPublicKey: string;
  readonly kdf: Kdf;
  readonly sealingKey: string;
  readonly storageKey: string;
};
type Registrations = { readonly format: 1; readonly registrations: readonly SignedRegistration[] };

const vaultPath = (dataDir: string) => join(dataDir, "vault.json");
const registrationsPath = (dataDir: string) => join(dataDir, "registrations.json");
const about = (name: "sealingKey" | "storageKey", ownerPublicKey: string) =>
  `TREFOIL-VAULT-1\0${name}\0${ownerPublicKey}`;

export type InitVault = { readonly dataDir: string; readonly ownerPublicKey: string; readonly passphraseFile?: string };

/** Makes a vault: its keys, encrypted at rest, and the pinned owner. Refuses to touch one that exists. */
export function initVault({ dataDir, ownerPublicKey, passphraseFile }: InitVault): VaultInfo {
  if (parseOwnerPublicKey(ownerPublicKey) === undefined)
    throw new Fault("vault/no-owner", "the realm owner's public key is not an Ed25519 key", { retry: "never" });
  if (readJson(vaultPath(dataDir)) !== undefined)
    throw new Fault("vault/exists", `there is a vault in ${dataDir} already`, { retry: "never" });
  const path = passphrasePath(dataDir, passphraseFile);
  if (path === passphrasePathOfOwn(dataDir)) generatePassphrase(path);

  const { privateKey, published } = makeSealingKeyPair();
  const sealingKey = takeSecret(encodeSealingKey(privateKey));
  const storageKey = randomFillSync(secretOctets(32));
  const kdf = newKdf();
  withMaster(path, kdf, (master) => {
    const file: VaultFile = {
      format: 1,
      engine: "software",
      ownerPublicKey,
      kdf,
      sealingKey: encryptSecret(master, sealingKey, about("sealingKey", ownerPublicKey)),
      storageKey: encryptSecret(master, storageKey, about("storageKey", ownerPublicKey)),
    };
    writeDurably(vaultPath(dataDir), `${JSON.stringify(file, undefined, 2)}\n`);
  });
  for (const secret of [sealingKey, storageKey]) secret.fill(0);
  return { engine: "software", ...published };
}

/** Opens what initVault made. */
export function openVaultFile(dataDir: string, passphraseFile: string | undefined): SoftwareSecrets {
  const file = readJson(vaultPath(dataDir)) as VaultFile | undefined;
  if (file === undefined)
    throw new Fault("vault/none", `there is no vault in ${dataDir}: run trefoil init`, { retry: "never" });
  if (file.format !== 1 || file.engine !== "software")
    throw new Fault(
      "vault/newer",
      `the vault in ${dataDir} is of another version or engine: this one knows software, format 1`,
      { retry: "never" },
    );
  const { ownerPublicKey, kdf } = file;
  return withMaster(passphrasePath(dataDir, passphraseFile), kdf, (master) => {
    const open = (name: "sealingKey" | "storageKey") => {
      const secret = decryptSecret(master, file[name], about(name, ownerPublicKey));
      if (secret === undefined)
        throw new Fault("vault/locked", "the vault does not open: wrong passphrase, or its file was changed", {
          retry: "never",
        });
      return secret;
    };
    return { ownerPublicKey, sealingKey: open("sealingKey"), storageKey: open("storageKey") };
  });
}

export function readRegistrations(dataDir: string): readonly SignedRegistration[] {
  const file = readJson(registrationsPath(dataDir)) as Registrations | undefined;
  if (file === undefined) return [];
  if (file.format !== 1 || !Array.isArray(file.registrations))
    throw new Fault("vault/damaged", "registrations.json is damaged: restore it from a backup", { retry: "never" });
  return file.registrations;
}

export function saveRegistrations(dataDir: string, registrations: readonly SignedRegistration[]): void {
  const file: Registrations = { format: 1, registrations };
  writeDurably(registrationsPath(dataDir), `${JSON.stringify(file)}\n`);
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
