/**
 * The realm under proof: devices with root keys of every origin (sealed one by one, with a GenAppKey, derived from a maker's master key), told to
 * the network as their owner would.
 */
import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { Key, type KeyRole, sealKeys } from "@trefoil/custody";
import type { Config } from "@trefoil/service";
import type { MacVersion } from "@trefoil/wire";
import { call } from "../admin/client.ts";
import { UserError } from "../commands/output.ts";
import { createDevices, type NewDevice } from "../commands/provision.ts";
import { applicationId, bayName, type Credential } from "../demo/setting.ts";
import { openOwner } from "../owner/owner.ts";
import { pinnedVault, readRecord } from "../owner/record.ts";
import { say } from "../owner/statements.ts";
import type { Device } from "./known.ts";
import type { Secret } from "./needles.ts";

/** How a device's root keys come into the vault. */
type Origin = "sealed" | "with GenAppKey" | "derived";
const plan: readonly (readonly [MacVersion, Origin])[] = [
  ["1.0.4", "with GenAppKey"],
  ["1.1", "sealed"],
  ["1.0.3", "sealed"],
  ["1.1", "derived"],
  ["1.0.4", "derived"],
  ["1.1", "sealed"],
];
export const gateways = ["0016c001f1500011"];

type Master = { readonly macVersion: MacVersion; readonly joinEui: string; readonly key: Uint8Array };
export type Realm = { readonly devices: readonly Device[]; readonly masters: readonly Master[] };

const joinEuiOf = (origin: Origin, version: MacVersion) =>
  origin !== "derived" ? "70b3d57ed0001002" : version === "1.1" ? "70b3d57ed0001003" : "70b3d57ed0001004";
const epoch = 1;
const hexKey = () => randomBytes(16).toString("hex");

/** Devices and master keys that nobody knew before. */
export function makeRealm(): Realm {
  const masters = plan.flatMap(([macVersion, origin]) =>
    origin === "derived"
      ? [{ macVersion, joinEui: joinEuiOf(origin, macVersion), key: largeCopy(randomBytes(32)) }]
      : [],
  );
  const devices = plan.map(([version, origin], i): Device => {
    const joinEui = joinEuiOf(origin, version);
    const devEui = (0x70b3d57ed0061000n + BigInt(i)).toString(16);
    const master = masters.find((one) => one.joinEui === joinEui);
    const root = (role: "AppKey" | "NwkKey") => (master ? deriveRoot(master.key, role, joinEui, devEui) : hexKey());
    return {
      ...{ devEui, joinEui, version, appKey: root("AppKey") },
      ...(version === "1.1" ? { nwkKey: root("NwkKey") } : {}),
      ...(origin === "with GenAppKey" ? { genAppKey: hexKey() } : {}),
    };
  });
  return { devices, masters };
}

const aes256 = (key: Uint8Array, blocks: Uint8Array): Uint8Array =>
  new Uint8Array(createCipheriv("aes-256-cbc", key, new Uint8Array(16)).setAutoPadding(false).update(blocks));
const hexOf = (octets: Uint8Array) => Buffer.from(octets).toString("hex");

/** LORA-KDF-1 (docs/sealed-key.md), first step: the key of one purpose, which gives away the root keys of all devices. */
export function derivePurposeKey(master: Uint8Array, purpose: string): Uint8Array {
  const [counter, second] = [Buffer.alloc(4), Buffer.alloc(16)];
  counter.writeUInt32BE(epoch);
  second[15] = 1;
  const label = createHash("sha256").update(`LORA-KDF-1\0${purpose}\0`).update(counter).digest();
  return aes256(master, Buffer.concat([label.subarray(0, 16), second]));
}

/** Second step: a device's root key, hex. */
export const deriveRoot = (master: Uint8Array, purpose: string, joinEui: string, devEui: string): string =>
  hexOf(aes256(derivePurposeKey(master, purpose), Buffer.from(joinEui + devEui, "hex")));

/** Master keys, and what the first step of the derivation makes of them. */
export const masterSecrets = ({ masters }: Realm): readonly Secret[] =>
  masters.flatMap(({ key, joinEui }) => [
    { kind: "master key", name: `master key of ${joinEui}`, octets: key },
    ...["AppKey", "NwkKey"].map(
      (purpose): Secret => ({
        kind: "master key",
        name: `key of all ${purpose}s of ${joinEui}`,
        octets: derivePurposeKey(key, purpose),
      }),
    ),
  ]);

/** Tells the running network all of it. */
export async function furnish(dataDir: string, config: Config, { devices, masters }: Realm): Promise<Credential> {
  const { mqtt } = await call<{ mqtt: Credential }>(dataDir, "application-server", "POST", "/applications", {
    applicationId,
    name: "Proof of custody",
  });
  for (const [i, eui] of gateways.entries())
    await call(dataDir, "gateway-server", "POST", "/gateways", { gatewayId: `lot-${i + 1}`, eui });
  const vault = pinnedVault(readRecord(dataDir));
  const said = await say(
    dataDir,
    openOwner(dataDir),
    masters.map(({ macVersion, joinEui, key }) => ({
      ...{ kind: "master-key", kdf: "LORA-KDF-1", epoch, extra: "", macVersion },
      joinEuis: { first: joinEui, last: joinEui },
      key: sealKeys(vault, [{ key: new Key("MasterKey", key) }]),
    })),
  );
  if (said !== "in force") throw new UserError("custody/start", "the vault did not take the master keys");
  const { netId, asId } = config.network;
  const results = await createDevices(
    { dataDir, netId, asId },
    devices.map((device, i) => asNewDevice(device, i)),
  );
  const refused = results.find((result) => !result.ok);
  if (refused && !refused.ok) throw new UserError(refused.code, refused.message);
  return mqtt;

  function asNewDevice({ devEui, joinEui, version, appKey, nwkKey, genAppKey }: Device, i: number): NewDevice {
    const key = (role: KeyRole, hex: string) => new Key(role, largeCopy(Buffer.from(hex, "hex")));
    const keys = new Map<KeyRole, Key>([
      ["AppKey", key("AppKey", appKey)],
      ...(nwkKey ? [["NwkKey", key("NwkKey", nwkKey)] as const] : []),
    ]);
    const withGenAppKey = genAppKey === undefined ? [] : [...keys.values(), key("GenAppKey", genAppKey)];
    return {
      ...{ applicationId, deviceId: bayName(i), devEui, joinEui, macVersion: version },
      ...{ region: config.network.region, origin: "generated" as const },
      keys: masters.some((one) => one.joinEui === joinEui) || genAppKey ? new Map() : keys,
      ...(masters.some((one) => one.joinEui === joinEui) ? { derived: true as const } : {}),
      ...(genAppKey
        ? {
            sealed: sealKeys(
              vault,
              withGenAppKey.map((one) => ({ key: one, joinEui, devEui })),
            ),
          }
        : {}),
    };
  }
}

/** On an allocation of its own. */
function largeCopy(octets: Uint8Array): Uint8Array {
  const copy = new Uint8Array(96).subarray(0, octets.length);
  copy.set(octets);
  return copy;
}
