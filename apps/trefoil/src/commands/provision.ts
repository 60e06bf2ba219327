/**
 * Devices, spread over the servers: each learns only what it needs. Keys are sealed here, in the person's own process, to
 * the one receiver that may open them: root keys to the vault, network session keys to the network-server, AppSKeys to the application-server.
 */
import { randomBytes } from "node:crypto";
import { type Key, type KeyRole, makeSealer, parseReceiver } from "@trefoil/custody";
import type {
  ApplicationDevice,
  JoinDevice,
  MacVersion,
  NetworkDevice,
  Results,
  Role,
  SealedKeys,
} from "@trefoil/wire";
import { AdminError, call } from "../admin/client.ts";

export type DeviceKeys = ReadonlyMap<KeyRole, Key>;
export type NewDevice = {
  readonly applicationId: string;
  readonly deviceId: string;
  readonly devEui: string;
  readonly joinEui?: string;
  readonly macVersion: MacVersion;
  readonly region: string;
  /** Those that `keyRoles` names. */
  readonly keys: DeviceKeys;
  /** Personalised devices only. */
  readonly abp?: { readonly devAddr: string; readonly fCntUp?: number; readonly fCntDown?: number };
  readonly usedDevNonces?: readonly number[];
  readonly lastJoinNonce?: number;
};
export type Realm = { readonly dataDir: string; readonly netId: string; readonly asId: string };
export type RowResult = Results["results"][number];

const noEui = "0000000000000000";

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
    concerns: (device) => device.abp === undefined,
    keys: (device) => keyRoles(device.macVersion, "otaa"),
    body: (
      { devEui, joinEui, macVersion, usedDevNonces, lastJoinNonce },
      sealed,
      _session,
      { netId, asId },
    ): JoinDevice => ({
      devEui,
      joinEui: joinEui ?? noEui,
      macVersion,
      netId,
      asId,
      sealed,
      ...optional("usedDevNonces", usedDevNonces),
      ...optional("lastJoinNonce", lastJoinNonce),
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
  const asked: Role[] = [];
  for (const placement of placements) {
    const indices = devices.flatMap((device, i) => (results[i]?.ok && placement.concerns(device) ? [i] : []));
    if (indices.length === 0) continue;
    const chosen = indices.map((i) => devices[i] as NewDevice);
    const sealed = await sealFor(realm, placement, chosen);
    const bodies = chosen.map((device, n) =>
      placement.body(device, sealed[n] as SealedKeys, sessionKeyIds[indices[n] as number] as string, realm),
    );
    const answer = await call<Results>(realm.dataDir, placement.role, "POST", "/devices", bodies);
    for (const [n, result] of answer.results.entries()) {
      if (result.ok) continue;
      results[indices[n] as number] = result;
      await takeBack(realm.dataDir, asked, (chosen[n] as NewDevice).devEui);
    }
    asked.push(placement.role);
  }
  return results;
}

/** One transport key for the whole batch: the receiver's costly operation is done once for all of them. */
async function sealFor(realm: Realm, placement: Placement, devices: readonly NewDevice[]): Promise<SealedKeys[]> {
  if (devices.every((device) => placement.keys(device).length === 0)) return devices.map(() => nothingSealed);
  const { publicKey } = await call<{ publicKey: string }>(
    realm.dataDir,
    placement.role,
    "GET",
    placement.publicKeyPath,
  );
  const receiver = parseReceiver(publicKey);
  if (!receiver) throw new AdminError("seal/bad-public-key", `the ${placement.role} gave no key that can be sealed to`);
  using sealer = makeSealer(receiver);
  return devices.map((device) =>
    sealer.seal(
      placement.keys(device).map((role) => ({
        key: device.keys.get(role) as Key,
        joinEui: device.joinEui ?? noEui,
        devEui: device.devEui,
      })),
    ),
  );
}

const nothingSealed: SealedKeys = { version: 1, to: "", transport: "", keys: [] };

/** Undoes what earlier servers had accepted. A server that cannot be reached keeps a row without keys, which `device delete` removes. */
async function takeBack(dataDir: string, roles: readonly Role[], devEui: string): Promise<void> {
  for (const role of roles) await call(dataDir, role, "DELETE", `/devices/${devEui}`).catch(() => undefined);
}
