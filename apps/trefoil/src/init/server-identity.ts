/**
 * Run as a process of its own, as the server's user: makes the keys that a server is born with (its TLS key; its sealing key and
 * KEK where it receives keys), writes them into its folder, and prints only what is public. So no other process ever holds them.
 *
 * Standard input: one JSON `IdentityOrder`. Standard output: one JSON `IdentityMade`.
 */
import { closeSync, constants, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { encodeKekFile, encodeSealingKey, makeKekSealedTo, makeSealingKeyPair, parseReceiver } from "@trefoil/custody";
import { becomeUser } from "@trefoil/service";
import { makeServerKeyAndCsr } from "@trefoil/service/certificates";
import type { Role, SealedKeys } from "@trefoil/wire";

export type IdentityOrder = {
  readonly role: Role;
  readonly dataDir: string;
  readonly identity?: { readonly uid: number; readonly gid: number };
  /** Servers that receive session keys: the vault to seal their KEK to, and its label. */
  readonly kek?: { readonly label: string; readonly vaultPublicKey: string };
};
export type IdentityMade = {
  readonly csr: string;
  readonly receiver?: { readonly sealedKek: SealedKeys; readonly fingerprint: string };
};

const order = JSON.parse(await text(process.stdin)) as IdentityOrder;
if (order.identity) becomeUser(order.identity);
process.umask(0o077);

/** O_SYNC: Node's permission model forbids fsync. */
const durably = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_SYNC;
function write(name: string, contents: string | Uint8Array): void {
  const file = openSync(join(order.dataDir, name), durably, 0o600);
  writeFileSync(file, contents);
  closeSync(file);
}

const { keyPem, csrPem } = await makeServerKeyAndCsr(order.role);
write("tls.key", keyPem);
process.stdout.write(
  JSON.stringify({ csr: csrPem, ...(order.kek ? { receiver: makeReceiver(order.kek) } : {}) } satisfies IdentityMade),
);

function makeReceiver({
  label,
  vaultPublicKey,
}: NonNullable<IdentityOrder["kek"]>): NonNullable<IdentityMade["receiver"]> {
  const vault = parseReceiver(vaultPublicKey);
  if (!vault) throw new Error("the vault's public key is not one");
  const { privateKey, published } = makeSealingKeyPair();
  const sealingKey = encodeSealingKey(privateKey);
  write("sealing.key", sealingKey);
  sealingKey.fill(0);
  // The one that it seals its next KEKs to (POST /kek), whatever the join-server says its vault is.
  write("vault.pub", `${vaultPublicKey}\n`);
  const { kek, sealed } = makeKekSealedTo(vault, label);
  const file = encodeKekFile(kek);
  write("kek.key", file);
  file.fill(0);
  return { sealedKek: sealed, fingerprint: published.fingerprint };
}
