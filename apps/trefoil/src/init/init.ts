/**
 * `trefoil init`: a realm is born. The owner's key and the private CA are made here; each server's own keys are made by a
 * process running as that server's user; the owner signs what binds the servers together. Order:
 *
 *   owner and CA → vault (pins the owner) → each server's identity (KEKs sealed to the vault) → certificates, peers, statements
 *
 * `owner/realm.json` is written last: an interrupted initialisation starts anew, unless a server has already used what was made.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fingerprintOf, networkText, parseOwnerPublicKey } from "@trefoil/custody";
import type { Config } from "@trefoil/service";
import { type Issued, issueCertificate } from "@trefoil/service/certificates";
import { mayCall, type Role, type SealedKeys, type VaultInfo } from "@trefoil/wire";
import { UserError } from "../commands/output.ts";
import { makeOwner, type Owner } from "../owner/owner.ts";
import { networkOf, realmFormat, writeRecord } from "../owner/record.ts";
import { keepStatement, type Saying } from "../owner/statements.ts";
import { folderOf, writePrivate } from "../supervisor/data-folder.ts";
import { initOf } from "../supervisor/node-flags.ts";
import { type Deployment, rolesOf } from "../supervisor/processes.ts";
import type { Users } from "../supervisor/users.ts";
import { vaultFlags, vaultSettings } from "../supervisor/vault-flags.ts";
import { askChild } from "./ask-child.ts";
import type { IdentityMade, IdentityOrder } from "./server-identity.ts";

export type InitOptions = {
  readonly config: Config;
  readonly dataDir: string;
  readonly users: Users;
  readonly deployment: Deployment;
};
/** Fingerprints for people to write down. */
export type InitMade = { readonly owner: string; readonly vault: string };

const serverIdentity = fileURLToPath(new URL("./server-identity.ts", import.meta.url));

export async function initialise({ config, dataDir, users, deployment }: InitOptions): Promise<InitMade> {
  const roles: readonly Role[] = rolesOf[deployment];
  clearUnfinished(dataDir, roles);
  const owner = await makeOwner(dataDir);
  const vault = await makeVault(config, dataDir, users, owner);
  const servers = roles.filter((role) => role !== "vault");
  const made = new Map<Role, Issued>();
  const keks = new Map<Role, SealedKeys>();
  const receivers = new Map<Role, string>([["join-server", vault.fingerprint]]);
  await Promise.all(
    servers.map(async (role) => {
      const { label } = receiving(config)[role] ?? {};
      const order: IdentityOrder = {
        role,
        dataDir: folderOf(dataDir, role),
        ...identityOf(role, users),
        ...(label === undefined ? {} : { kek: { label, vaultPublicKey: vault.publicKey } }),
      };
      const { csr, receiver } = await askChild<IdentityMade>({
        program: serverIdentity,
        dataDir: order.dataDir,
        order,
        failure: { code: "init/failed", text: `the ${role} could not make its keys` },
      });
      made.set(role, await issueCertificate(owner.ca, role, csr, hostNamesOf(role, config)));
      if (!receiver) return;
      keks.set(role, receiver.sealedKek);
      receivers.set(role, receiver.fingerprint);
    }),
  );
  for (const role of servers) writeTrust(dataDir, role, made, owner, config, users);
  if (deployment === "network")
    for (const saying of firstStatements(config, made, keks)) keepStatement(dataDir, owner, vault.fingerprint, saying);
  const ownerKey = parseOwnerPublicKey(owner.publicKey);
  const fingerprints = { owner: ownerKey ? fingerprintOf(ownerKey) : "", vault: vault.fingerprint };
  writeRecord(dataDir, {
    format: realmFormat,
    deployment,
    owner: fingerprints.owner,
    receivers: Object.fromEntries(receivers),
    vault: { publicKey: vault.publicKey, auditKey: vault.auditKey },
    ...(deployment === "network" ? { network: networkOf(config.network), asId: config.network.asId } : {}),
  });
  return fingerprints;
}

/** What an interrupted initialisation left is removed; what a server has begun to use never is. */
function clearUnfinished(dataDir: string, roles: readonly Role[]): void {
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

/** Under which names others than the realm's own servers reach it. */
export const hostNamesOf = (role: Role, { joinServer }: Config): readonly string[] =>
  role === "join-server" ? joinServer.hostNames : [];

const identityOf = (role: Role, users: Users) => (users.are === "separate" ? { identity: users.of[role] } : {});

const makeVault = (config: Config, dataDir: string, users: Users, owner: Owner): Promise<VaultInfo> => {
  const vault = vaultSettings(config.vault, users);
  const { processes: _, ...settings } = vault;
  const order = {
    ...settings,
    dataDir: folderOf(dataDir, "vault"),
    ...identityOf("vault", users),
    ownerPublicKey: owner.publicKey,
  };
  return askChild<VaultInfo>({
    program: initOf("vault"),
    dataDir: order.dataDir,
    order,
    moreFlags: vaultFlags(vault),
    failure: { code: "init/failed", text: "the vault was not made" },
  });
};

/** Which servers receive session keys, and for whom: the network server for its network, the application server for its AS-ID. */
const receiving = ({ network }: Config): { readonly [role in Role]?: Receiving } => ({
  "network-server": { label: `ns/${networkText(networkOf(network))}`, is: { network: networkOf(network) } },
  "application-server": { label: `as/${network.asId}`, is: { asId: network.asId } },
});
type Receiving = { readonly label: string; readonly is: Pick<Extract<Saying, { kind: "kek" }>, "network" | "asId"> };

/** So an ordinary device needs no signature: the realm's own servers are peers with a KEK, and every JoinEUI is theirs until the owner says otherwise. */
function firstStatements(
  config: Config,
  made: ReadonlyMap<Role, Issued>,
  keks: ReadonlyMap<Role, SealedKeys>,
): readonly Saying[] {
  const rows = Object.entries(receiving(config)) as [Role, Receiving][];
  const { appSKey } = config.network;
  return [
    ...rows.map(([role, { label, is }]): Saying => ({ kind: "kek", label, ...is, kek: keks.get(role) as SealedKeys })),
    ...rows.map(
      ([role, { is }]): Saying => ({
        kind: "peer",
        name: role,
        certificate: (made.get(role) as Issued).spki,
        ...is,
        ...(is.network ? { appSKey } : {}),
      }),
    ),
    {
      kind: "assignment",
      joinEuis: { first: "0".repeat(16), last: "f".repeat(16) },
      network: networkOf(config.network),
      asId: config.network.asId,
    },
  ];
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

/** Whom a peer may speak for, as its caller or callee wants to see it. What the join-server believes comes from the vault instead. */
const peerEntry = (role: Role, spki: string, { network }: Config): PeerEntry =>
  role === "network-server"
    ? { spki, netId: network.netId }
    : role === "application-server"
      ? { spki, asId: network.asId }
      : { spki };
