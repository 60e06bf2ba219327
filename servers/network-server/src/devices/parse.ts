/** Rows of POST /devices: parsed once, here. What the row says is checked; whether it may be stored is decided in registry.ts. */
import { isEui } from "@trefoil/custody";
import { macVersions } from "@trefoil/lorawan";
import type { NetworkDevice } from "@trefoil/wire";

export type Refused = { readonly ok: false; readonly code: string; readonly message: string };
const refused = (code: string, message: string): Refused => ({ ok: false, code, message });

const isDevAddr = (value: unknown) => typeof value === "string" && /^[0-9a-f]{8}$/i.test(value);
const isCounter = (value: unknown) =>
  value === undefined || (Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32);
const isText = (value: unknown, longest: number) =>
  typeof value === "string" && value.length > 0 && value.length <= longest && /^[\x21-\x7e]+$/.test(value);

/** The row as it is typed, or the first thing that is wrong with it. */
export function parseNetworkDevice(value: unknown, isRegion: (name: string) => boolean): NetworkDevice | Refused {
  if (typeof value !== "object" || value === null) return refused("device/malformed", "a device is an object");
  const row = value as { [name in keyof NetworkDevice]?: unknown };
  if (!isEui(row.devEui)) return refused("device/dev-eui", "devEui must be 16 hex digits in lower case");
  if (row.joinEui !== undefined && !isEui(row.joinEui))
    return refused("device/join-eui", "joinEui must be 16 hex digits in lower case");
  if (!macVersions.includes(row.macVersion as never))
    return refused("device/mac-version", `macVersion must be one of ${macVersions.join(", ")}`);
  if (typeof row.region !== "string" || !isRegion(row.region))
    return refused("device/region", "region must be one that this network supports");
  if (!isText(row.asId, 64)) return refused("device/as-id", "asId must be visible ASCII, at most 64 characters");
  if (row.abp === undefined) {
    if (row.joinEui === undefined) return refused("device/join-eui", "a device that joins needs a joinEui");
    return value as NetworkDevice;
  }
  return parseAbp(row.abp) ?? (value as NetworkDevice);
}

function parseAbp(value: unknown): Refused | undefined {
  if (typeof value !== "object" || value === null) return refused("device/malformed", "abp is an object");
  const abp = value as { [name in keyof NonNullable<NetworkDevice["abp"]>]?: unknown };
  if (!isDevAddr(abp.devAddr)) return refused("device/dev-addr", "devAddr must be 8 hex digits");
  if (!isText(abp.sessionKeyId, 128))
    return refused("device/session-key-id", "sessionKeyId must be visible ASCII, at most 128 characters");
  if (![abp.fCntUp, abp.fCntDown, abp.aFCntDown].every(isCounter))
    return refused("device/counter", "fCntUp, fCntDown and aFCntDown are whole numbers below 2^32");
  return undefined;
}
