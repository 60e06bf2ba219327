/**
 * The realm owner's folder: the Ed25519 key that alone signs statements (docs/authority.md) and the private CA's key, both encrypted
 * under the owner's passphrase. No server can read it; `trefoil` opens it for initialisation and renewals only.
 */
import type { KeyObject } from "node:crypto";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isCancel, password } from "@clack/prompts";
import { makeOwnerKey, openOwnerKey } from "@trefoil/custody";
import { type Ca, decryptKey, encryptKey, makeCa } from "@trefoil/service/certificates";
import { UserError } from "../commands/output.ts";
import { writePrivate } from "../supervisor/data-folder.ts";

export type Owner = {
  readonly key: KeyObject;
  /** SubjectPublicKeyInfo in base64: what the vault pins. */
  readonly publicKey: string;
  readonly ca: Ca;
};

const fileOf = (dataDir: string, name: string) => join(dataDir, "owner", name);

/** Makes the owner's keys. The passphrase is generated into a 0600 file of its own, which its owner may move elsewhere. */
export async function makeOwner(dataDir: string): Promise<Owner> {
  const passphrase = randomBytes(24).toString("base64url");
  const { privateKeyPem, publicKey } = makeOwnerKey(passphrase);
  const ca = await makeCa();
  const file = (name: string, text: string) => writePrivate(fileOf(dataDir, name), text);
  file("passphrase", `${passphrase}\n`);
  file("ca.key", encryptKey(ca.keyPem, passphrase));
  file("ca.crt", ca.certificatePem);
  file("owner.pub", `${publicKey}\n`);
  // The last one: its presence says that the folder is complete.
  file("owner.key", privateKeyPem);
  return openOwner(dataDir);
}

export const ownerExists = (dataDir: string) => existsSync(fileOf(dataDir, "owner.key"));

/** Opens the owner's keys, for a command at a terminal: a passphrase that was moved away is asked for. */
export async function askOwner(dataDir: string): Promise<Owner> {
  if (existsSync(fileOf(dataDir, "passphrase")) || !process.stdin.isTTY || !ownerExists(dataDir))
    return openOwner(dataDir);
  const answer = await password({ message: "Passphrase of the realm owner (not shown)" });
  if (isCancel(answer)) throw new UserError("owner/cancelled", "nothing was changed");
  return openOwner(dataDir, answer);
}

/** Opens the owner's keys. Throws `UserError` when they or the passphrase are elsewhere, or it is wrong. */
export function openOwner(dataDir: string, typed?: string): Owner {
  const read = (name: string) => readFileSync(fileOf(dataDir, name), "utf8");
  if (!ownerExists(dataDir)) {
    throw new UserError(
      "owner/key-missing",
      `this command signs with the realm owner's key: put owner.key and ca.key back into ${join(dataDir, "owner")}`,
    );
  }
  if (typed === undefined && !existsSync(fileOf(dataDir, "passphrase"))) {
    throw new UserError(
      "owner/passphrase-missing",
      `put the realm owner's passphrase back into ${fileOf(dataDir, "passphrase")} for this command`,
    );
  }
  const passphrase = (typed ?? read("passphrase")).trim();
  const key = openOwnerKey(read("owner.key"), passphrase);
  const caKey = decryptKey(read("ca.key"), passphrase);
  if (!key || caKey === undefined)
    throw new UserError("owner/passphrase-wrong", "the passphrase does not open the realm owner's keys");
  return { key, publicKey: read("owner.pub").trim(), ca: { certificatePem: read("ca.crt"), keyPem: caKey } };
}
