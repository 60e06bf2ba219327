/**
 * Devices, spread over the servers: each learns only what it needs. Keys are sealed here, in the person's own process, to
 * the one receiver that may open them: root keys to the vault, network session keys to the network-server, AppSKeys to the application-server.
 */
import { randomBytes } from "node:crypto";
import { type Key, type KeyRole, makeSealer, noEui, parseReceiver } from "@trefoil/custody";
import type {
  ApplicationDevice,
  JoinDevice,
  MacVersion,
  NetworkDevice,
  Provision,
  Results,
  Role,
  SealedKeys,
} from "@trefoil/wire";
import { AdminError, call } from "../admin/client.ts";
import { readRecord } from "../owner/record.ts";
import { type Deployment, rolesOf } from "../supervisor/processes.ts";

export type DeviceKeys = ReadonlyMap<KeyRole, Key>;
export type NewDevice = {
  /** Empty with a Join Server alone. */
  readonly applicationId: string;
  readonly deviceId: string;
  readonly devEui: string;
  readonly joinEui?: string;
  readonly macVersion: MacVersion;
  readonly region: string;
  /** Those that `keyRoles` names. */
  readonly keys: DeviceKeys;
  /** Personalised devices only. */
  readonly abp?: {
    readonly devAddr: string;
    readonly fCntUp?: number;
    readonly fCntDown?: number;
    readonly aFCntDown?: number;
  };
  /** Its root keys are derived in the vault, from the master key of its JoinEUI: there is nothing to tell the join-server. */
  readonly derived?: true;
  /** Root keys that came sealed to the vault already, and who vouches for them: `keys` is empty then. */
  readonly sealed?: SealedKeys;
  readonly provision?: Provision;
  /** How the keys came to this command, for the vault's exposure ledger. */
  readonly origin?: "generated" | "typed" | "file";
  readonly usedDevNonces?: readonly number[];
  readonly lastJoinNonce?: number;
  readonly rjCount0?: number;
  readonly rjCount1?: number;
};
export type Realm = {
  readonly dataDir: string;
  readonly netId: string;
  readonly asId: string;
  /** Absent: a whole network. A Join Server alone knows no applications and no sessions. */
  readonly deployment?: Deployment;
};
export type RowResult = Results["results"][number];

/** Which keys a device of this version and activation has (TS001). */
export function keyRoles(macVersion: MacVersion, activation: "otaa" | "abp"): readonly KeyRole[] {
  if (activation === "otaa") return macVersion === "1.1" ? ["NwkKey", "AppKey"] : ["AppKey"];
  return macVersion === "1.1" ? ["FNwkSIntKey", "SNwkSIntKey", "NwkSEncKey", "AppSKey"] : ["NwkSKey", "AppSKey"];
}

/** What goes to one server: which of the devices, which of their keys, sealed for whom, in which words. */
type Placement = {
  readonly role: Role;
  readonly publicKeyPath: string;
  readonly concerns: (device: NewDevice) => boolean;
  readonly keys: (device: NewDevice) => readonly KeyRole[];
  readonly body: (device: NewDevice, sealed: SealedKeys, sessionKeyId: string, realm: Realm) => unknown;
};

const optional = <K extends string, V>(key: K, value: V | undefined) =>
  value === undefined ? {} : ({ [key]: value } as Record<K, V>);

const placements: readonly Placement[] = [
  {
    role: "application-server",
    publicKeyPath: "/sealing-key",
    concerns: () => true,
    keys: (device) => (device.abp ? ["AppSKey"] : []),
    body: ({ applicationId, deviceId, devEui, joinEui, abp }, sealed, sessionKeyId): ApplicationDevice => ({
      applicationId,
      deviceId,
      devEui,
      ...optional("joinEui", joinEui),
      ...(abp ? { abp: { devAddr: abp.devAddr, sessionKeyId, sealed } } : {}),
    }),
  },
  {
    role: "network-server",
    publicKeyPath: "/sealing-key",
    concerns: () => true,
    keys: (device) => (device.abp ? keyRoles(device.macVersion, "abp").filter((role) => role !== "AppSKey") : []),
    body: ({ devEui, joinEui, macVersion, region, abp }, sealed, sessionKeyId, { asId }): NetworkDevice => ({
      devEui,
      ...optional("joinEui", joinEui),
      macVersion,
      region,
      asId,
      ...(abp ? { abp: { ...abp, sessionKeyId, sealed } } : {}),
    }),
  },
  {
    // The last one: from its answer on the device can join.
    role: "join-server",
    publicKeyPath: "/vault",
    concerns: (device) => device.abp === undefined && !device.derived,
    keys: (device) => (device.sealed ? [] : keyRoles(device.macVersion, "otaa")),
    body: (device, sealed): JoinDevice => ({
      devEui: device.devEui,
      joinEui: device.joinEui ?? noEui,
      macVersion: device.macVersion,
      sealed: device.sealed ?? sealed,
      ...optional("origin", device.origin),
      ...optional("provision", device.provision),
      ...optional("usedDevNonces", device.usedDevNonces),
      ...optional("lastJoinNonce", device.lastJoinNonce),
      ...optional("rjCount0", device.rjCount0),
      ...optional("rjCount1", device.rjCount1),
    }),
  },
];

/**
 * Creates devices on all servers, up to 10,000 a call, and tells the fate of each, in their order.
 * What one server refuses is taken back from the servers asked before it, and not offered to the next.
 */
export async function createDevices(realm: Realm, devices: readonly NewDevice[]): Promise<readonly RowResult[]> {
  const results: RowResult[] = devices.map(() => ({ ok: true }));
  const sessionKeyIds = devices.map(() => randomBytes(16).toString("hex"));
  const servers: readonly Role[] = rolesOf[realm.deployment ?? "network"];
  const places = placements.filter(({ role }) => servers.includes(role));
  // All is sealed before anything is asked: a receiver that is not the pinned one leaves no server changed.
  const sealed = await Promise.all(places.map((placement) => sealFor(realm, placement, devices)));
  const asked: Role[] = [];
  for (const [at, placement] of places.entries()) {
    const indices = devices.flatMap((device, i) => (results[i]?.ok && placement.concerns(device) ? [i] : []));
    if (indices.length === 0) continue;
    const bodies = indices.map((i) =>
      placement.body(devices[i] as NewDevice, sealed[at]?.[i] as SealedKeys, sessionKeyIds[i] as string, realm),
    );
    const answer = await call<Results>(realm.dataDir, placement.role, "POST", "/devices", bodies);
    for (const [n, result] of answer.results.entries()) {
      const i = indices[n] as number;
      if (result.ok) continue;
      results[i] = result;
      await takeBack(realm.dataDir, asked, (devices[i] as NewDevice).devEui);
    }
    asked.push(placement.role);
  }
  return results;
}

/** One transport key for the whole batch: the receiver's costly operation is done once for all of them. */
async function sealFor(realm: Realm, placement: Placement, devices: readonly NewDevice[]): Promise<SealedKeys[]> {
  const keysOf = (device: NewDevice) => (placement.concerns(device) ? placement.keys(device) : []);
  if (devices.every((device) => keysOf(device).length === 0)) return devices.map(() => nothingSealed);
  const { publicKey } = await call<{ publicKey: string }>(
    realm.dataDir,
    placement.role,
    "GET",
    placement.publicKeyPath,
  );
  const receiver = parseReceiver(publicKey);
  // The server may have been taken over: keys are sealed to the receiver that the owner saw made, and to no other.
  if (!receiver || receiver.fingerprint !== readRecord(realm.dataDir).receivers[placement.role]) {
    throw new AdminError(
      "seal/not-the-receiver",
      `the ${placement.role} shows another public key than the one pinned when the realm was made: nothing was sealed`,
    );
  }
  using sealer = makeSealer(receiver);
  return devices.map((device) => {
    const roles = keysOf(device);
    if (roles.length === 0) return nothingSealed;
    const { devEui, joinEui = noEui } = device;
    return sealer.seal(roles.map((role) => ({ key: device.keys.get(role) as Key, joinEui, devEui })));
  });
}

const nothingSealed: SealedKeys = { version: 1, to: "", transport: "", keys: [] };

/** Undoes what earlier servers had accepted. A server that cannot be reached keeps a row without keys, which `device delete` removes. */
async function takeBack(dataDir: string, roles: readonly Role[], devEui: string): Promise<void> {
  for (const role of roles) await call(dataDir, role, "DELETE", `/devices/${devEui}`).catch(() => undefined);
}
