/**
 * The devices of a scenario and their root keys. The simulator makes them, hands them out once so that they can be
 * provisioned (sealed, as a person would), and takes them back to play. With a seed they are repeatable and worthless
 * as secrets; without one they are random.
 */
import { randomBytes } from "node:crypto";
import { encryptBlocks } from "../crypto/aes.ts";
import type { RootKeys } from "../device/join.ts";
import { type MacVersion, macVersions } from "../device/versions.ts";
import { fromHex, keep, toHex } from "../octets.ts";
import { hash32 } from "../random.ts";
import { type Scenario, ScenarioError } from "./scenario.ts";

export type DeviceCredentials = {
  readonly devEui: string;
  readonly joinEui: string;
  readonly version: MacVersion;
  readonly keys: RootKeys;
};

/** Credentials for every device of the scenario, in order. */
export function scenarioDevices({ name, devices }: Scenario, seed?: string | number): DeviceCredentials[] {
  const versions = spread(devices.versions, devices.count);
  const first = BigInt(`0x${devices.devEuiStart}`);
  const makeKey = seed === undefined ? () => keep(randomBytes(16)) : seededKeys(`${name}/${seed}`);
  return versions.map((version, i) => ({
    devEui: (first + BigInt(i)).toString(16).padStart(16, "0"),
    joinEui: devices.joinEui,
    version,
    keys: version === "1.1" ? { appKey: makeKey(i, 1), nwkKey: makeKey(i, 2) } : { appKey: makeKey(i, 1) },
  }));
}

/** Versions mixed over the bays, not in blocks. */
function spread(wanted: Scenario["devices"]["versions"], count: number): MacVersion[] {
  const given: Record<MacVersion, number> = { "1.0.3": 0, "1.0.4": 0, "1.1": 0 };
  return Array.from({ length: count }, (_, i) => {
    const lag = (version: MacVersion) => (wanted[version] * (i + 1)) / count - given[version];
    const open = macVersions.filter((version) => given[version] < wanted[version]);
    const next = open.reduce((most, version) => (lag(version) > lag(most) ? version : most), open[0] as MacVersion);
    given[next]++;
    return next;
  });
}

/** AES of (index, purpose) under a key made from the seed's text. */
function seededKeys(seed: string): (index: number, purpose: number) => Uint8Array {
  const root = new Uint8Array(16);
  const view = new DataView(root.buffer);
  for (let i = 0; i < 4; i++) view.setUint32(4 * i, hash32(`${seed}#key${i}`));
  return (index, purpose) => {
    const block = new Uint8Array(16);
    new DataView(block.buffer).setUint32(0, index);
    block[4] = purpose;
    return keep(encryptBlocks(root, block));
  };
}

type Json = { devEui: string; joinEui: string; version: MacVersion; appKey: string; nwkKey?: string };

/** For a pipe or a 0600 file: the only way keys leave as text. */
export function credentialsToJson(credentials: readonly DeviceCredentials[]): string {
  const rows = credentials.map(({ devEui, joinEui, version, keys }): Json => {
    const nwkKey = keys.nwkKey === undefined ? {} : { nwkKey: toHex(keys.nwkKey) };
    return { devEui, joinEui, version, appKey: toHex(keys.appKey), ...nwkKey };
  });
  return JSON.stringify(rows);
}

/** Throws `ScenarioError`; its message never repeats what was read. */
export function credentialsFromJson(json: string): DeviceCredentials[] {
  let rows: unknown;
  try {
    rows = JSON.parse(json);
  } catch {
    throw new ScenarioError("device credentials: expected a JSON list");
  }
  if (!Array.isArray(rows)) throw new ScenarioError("device credentials: expected a JSON list");
  return rows.map((row: Partial<Json> | null, i) => {
    const isHex = (value: unknown, octets: number): value is string =>
      typeof value === "string" && new RegExp(`^[0-9a-f]{${2 * octets}}$`, "i").test(value);
    const version = macVersions.find((known) => known === row?.version);
    const { devEui, joinEui, appKey, nwkKey } = row ?? {};
    if (
      !isHex(devEui, 8) ||
      !isHex(joinEui, 8) ||
      !isHex(appKey, 16) ||
      version === undefined ||
      (version === "1.1") !== isHex(nwkKey, 16)
    ) {
      throw new ScenarioError(
        `device credentials[${i}]: expected devEui, joinEui, version (${macVersions.join(", ")}), appKey, and for 1.1 nwkKey`,
      );
    }
    const keys = { appKey: keep(fromHex(appKey)), ...(isHex(nwkKey, 16) ? { nwkKey: keep(fromHex(nwkKey)) } : {}) };
    return { devEui: devEui.toLowerCase(), joinEui: joinEui.toLowerCase(), version, keys };
  });
}
