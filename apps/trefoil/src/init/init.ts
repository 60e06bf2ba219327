/**
 * `trefoil init`: a realm is born. The owner's key and the private CA are made here; each server's own keys are made by a
 * process running as that server's user; the owner signs what binds the servers together. Order:
 *
 *   owner and CA → vault (pins the owner) → each server's identity (KEKs sealed to the vault) → certificates, peers, registrations
 *
 * `owner/realm.json` is written last: an interrupted initialisation starts anew, unless a server has already used what was made.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fingerprintOf, parseOwnerPublicKey, signRegistration } from "@trefoil/custody";
import type { Config } from "@trefoil/service";
import { type Issued, issueCertificate } from "@trefoil/service/certificates";
import { mayCall, type Registration, type Role, roles, type VaultInfo } from "@trefoil/wire";
import { UserError } from "../commands/output.ts";
import { folderOf, writePrivate } from "../supervisor/data-folder.ts";
import { initOf } from "../supervisor/node-flags.ts";
import type { Users } from "../supervisor/users.ts";
import { askChild } from "./ask-child.ts";
import { makeOwner, type Owner } from "./owner.ts";
import { writeRecord } from "./record.ts";
import { keepRegistration } from "./registrations.ts";
import type { IdentityMade, IdentityOrder } from "./server-identity.ts";

export type InitOptions = { readonly config: Config; readonly dataDir: string; readonly users: Users };
/** Fingerprints for people to write down. */
export type InitMade = { readonly owner: string; readonly vault: string };

const serverIdentity = fileURLToPath(new URL("./server-identity.ts", import.meta.url));
/** What an interrupted initialisation left is removed; what a server has begun to use never is. */
function clearUnfinished(dataDir: string): void {
  const used = roles.find((role) => existsSync(join(folderOf(dataDir, role), "store.sqlite")));
  if (used) {
    throw new UserError(
      "init/damaged",
      `the ${used} has data, but the realm's record is gone from ${dataDir}/owner: restore it from your copy`,
    );
  }
  for (const folder of [...roles.map((role) => folderOf(dataDir, role)), join(dataDir, "owner")]) {
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

export async function initialise({ config, dataDir, users }: InitOptions): Promise<InitMade> {
  clearUnfinished(dataDir);
  const owner = await makeOwner(dataDir);
  const identityOf = (role: Role) => (users.are === "separate" ? { identity: users.of[role] } : {});
  const vault = await askChild<VaultInfo>(initOf("vault"), folderOf(dataDir, "vault"), {
    dataDir: folderOf(dataDir, "vault"),
    ...identityOf("vault"),
    ownerPublicKey: owner.publicKey,
  });

  const servers = roles.filter((role) => role !== "vault");
  const made = new Map<Role, Issued>();
  const receivers = new Map<Role, string>([["join-server", vault.fingerprint]]);
  await Promise.all(
    servers.map(async (role) => {
      const binding = kekBindings(config)[role];
      const order: IdentityOrder = {
        role,
        dataDir: folderOf(dataDir, role),
        ...identityOf(role),
        ...(binding ? { kek: { label: binding.label, vaultPublicKey: vault.publicKey } } : {}),
      };
      const { csr, receiver } = await askChild<IdentityMade>(serverIdentity, order.dataDir, order);
      made.set(role, await issueCertificate(owner.ca, role, csr));
      if (!binding || !receiver) return;
      receivers.set(role, receiver.fingerprint);
      const registration: Registration = {
        ...binding,
        version: 1,
        kind: "kek",
        kek: receiver.sealedKek,
        issuedAt: Date.now(),
      };
      keepRegistration(dataDir, role, signRegistration(owner.key, registration));
    }),
  );
  for (const role of servers) writeTrust(dataDir, role, made, owner, config, users);
  const ownerKey = parseOwnerPublicKey(owner.publicKey);
  const fingerprints = { owner: ownerKey ? fingerprintOf(ownerKey) : "", vault: vault.fingerprint };
  const { netId, asId } = config.network;
  writeRecord(dataDir, {
    owner: fingerprints.owner,
    receivers: Object.fromEntries(receivers),
    netId: netId.toLowerCase(),
    asId,
  });
  return fingerprints;
}

/** Which servers receive session keys, and to what their KEK is bound: the network to its NetID, the application server to its AS-ID. */
function kekBindings({ network }: Config): {
  readonly [role in Role]?: Pick<Registration, "label" | "netId" | "asId">;
} {
  return {
    "network-server": { label: `ns/${network.netId.toLowerCase()}`, netId: network.netId.toLowerCase() },
    "application-server": { label: `as/${network.asId}`, asId: network.asId },
  };
}

/** A server's certificate, the CA, and the keys of those it may talk to (in either direction), written into its folder. */
function writeTrust(
  dataDir: string,
  role: Role,
  made: ReadonlyMap<Role, Issued>,
  owner: Owner,
  config: Config,
  users: Users,
) {
  const user = users.are === "separate" ? users.of[role] : undefined;
  const write = (name: string, text: string) => writePrivate(join(folderOf(dataDir, role), name), text, user);
  const partners = [...made].filter(([other]) => mayCall[role].includes(other) || mayCall[other].includes(role));
  const peers = Object.fromEntries(
    partners.map(([other, { spki }]): [Role, PeerEntry] => [other, peerEntry(other, spki, config)]),
  );
  write("tls.crt", (made.get(role) as Issued).certificatePem);
  write("ca.crt", owner.ca.certificatePem);
  write("peers.json", `${JSON.stringify(peers)}\n`);
}

/** An entry of peers.json: the pinned key, and for whom the peer may speak. */
type PeerEntry = { readonly spki: string; readonly netId?: string; readonly asId?: string };

/** The join-server lets a network server speak for its own NetID only. */
const peerEntry = (role: Role, spki: string, { network }: Config): PeerEntry =>
  role === "network-server"
    ? { spki, netId: network.netId }
    : role === "application-server"
      ? { spki, asId: network.asId }
      : { spki };
