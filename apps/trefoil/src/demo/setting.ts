/** The demo's network and what it is told before it plays: gateways, an application, forty devices with sealed keys. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Key } from "@trefoil/custody";
import type { Config } from "@trefoil/service";
import { loadConfig } from "@trefoil/service/config";
import type { Role } from "@trefoil/wire";
import { call } from "../admin/client.ts";
import { UserError } from "../commands/output.ts";
import { createDevices, type DeviceKeys, type NewDevice } from "../commands/provision.ts";
import { parseKey } from "../commands/read-keys.ts";
import type { Credentials } from "./simulator.ts";

export const applicationId = "parking-lot";

/** A folder that goes with the demo. Other users may pass through it, so that servers can have users of their own. */
export function throwAwayFolder(): { readonly dataDir: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "trefoil-"));
  chmodSync(folder, 0o711);
  return { dataDir: join(folder, "data"), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The configuration of a network that disturbs no other: loopback, every port of the system's choice. */
export function isolatedConfig(): Config {
  const any = { host: "127.0.0.1", port: 0 };
  const loaded = loadConfig({});
  if ("problems" in loaded) throw new UserError("config/invalid", "the built-in configuration is not valid");
  const { config } = loaded;
  return {
    ...config,
    log: { ...config.log, level: "error" },
    gatewayServer: { ...config.gatewayServer, udp: any, http: any },
    networkServer: { ...config.networkServer, link: any, http: any },
    applicationServer: { ...config.applicationServer, link: any, mqtt: any, http: any },
    joinServer: { ...config.joinServer, interop: any, http: any },
  };
}

export type Credential = { readonly username: string; readonly password: string };

/** Makes the application and its credential, lets the gateways in, and registers the devices as a person would: sealed. */
export async function furnish(
  dataDir: string,
  config: Config,
  gateways: readonly string[],
  devices: readonly Credentials[],
): Promise<Credential> {
  const ask = <T>(role: Role, path: string, body: unknown) => call<T>(dataDir, role, "POST", path, body);
  const { mqtt } = await ask<{ mqtt: Credential }>("application-server", "/applications", {
    applicationId,
    name: "Parking lot",
  });
  for (const [i, eui] of gateways.entries())
    await ask("gateway-server", "/gateways", { gatewayId: `lot-${i + 1}`, eui });
  const realm = { dataDir, netId: config.network.netId, asId: config.network.asId };
  const results = await createDevices(
    realm,
    devices.map((device, i) => asNewDevice(device, i, config.network.region)),
  );
  const refused = results.find((result) => !result.ok);
  if (refused && !refused.ok) throw new UserError(refused.code, refused.message);
  return mqtt;
}

export const bayName = (i: number) => `bay-${String(i + 1).padStart(2, "0")}`;

function asNewDevice({ devEui, joinEui, version, appKey, nwkKey }: Credentials, i: number, region: string): NewDevice {
  const keys = new Map([
    ["AppKey", parseKey("AppKey", appKey)],
    ...(nwkKey ? [["NwkKey", parseKey("NwkKey", nwkKey)] as const] : []),
  ] as [string, Key][]);
  return {
    applicationId,
    deviceId: bayName(i),
    devEui,
    joinEui,
    macVersion: version,
    region,
    keys: keys as DeviceKeys,
    origin: "generated",
  };
}
