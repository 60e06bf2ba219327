/** What administration may name things, and one row of POST /devices. */
import { isEui, type Key, noEui, type Opener } from "@trefoil/custody";
import type { ApplicationDevice } from "@trefoil/wire";

/** Ids of The Things Stack: they stand in topics and JSON without quoting. */
export const isId = (value: unknown): value is string =>
  typeof value === "string" && value.length <= 36 && /^[a-z0-9](?:-?[a-z0-9])*$/.test(value);
const isName = (value: unknown): value is string => typeof value === "string" && value.length <= 128;
const isSessionKeyId = (value: unknown): value is string =>
  typeof value === "string" && /^[\x21-\x7e]{1,128}$/.test(value);

export type Refusal = { readonly ok: false; readonly code: string; readonly message: string };
export const refusal = (code: string, message: string): Refusal => ({ ok: false, code, message });

export type ParsedApplication = { readonly applicationId: string; readonly name: string };
export function parseApplication(body: unknown): ParsedApplication | Refusal {
  const { applicationId, name = "" } = record(body);
  if (!isId(applicationId))
    return refusal("application/id", "applicationId must be 1 to 36 lower-case letters, digits and single dashes");
  if (!isName(name)) return refusal("application/name", "name must be text, at most 128 characters");
  return { applicationId, name };
}

export type ParsedDevice = Pick<ApplicationDevice, "applicationId" | "deviceId" | "devEui"> & {
  readonly joinEui: string | null;
  readonly abp?: { readonly devAddr: string; readonly sessionKeyId: string; readonly appSKey: Key<"AppSKey"> };
};

/** Opens a personalised device's sealed AppSKey. */
export function parseDevice(row: unknown, opener: Opener): ParsedDevice | Refusal {
  const { applicationId, deviceId, devEui, joinEui, abp } = record(row);
  if (!isId(applicationId)) return refusal("device/application", "applicationId must name an application");
  if (!isId(deviceId))
    return refusal("device/id", "deviceId must be 1 to 36 lower-case letters, digits and single dashes");
  if (!isEui(devEui)) return refusal("device/dev-eui", "devEui must be 16 hex digits in lower case");
  if (joinEui !== undefined && !isEui(joinEui))
    return refusal("device/join-eui", "joinEui must be 16 hex digits in lower case");
  const device = { applicationId, deviceId, devEui, joinEui: joinEui ?? null };
  if (abp === undefined) return device;

  const { devAddr, sessionKeyId, sealed } = record(abp);
  if (typeof devAddr !== "string" || !/^[0-9a-f]{8}$/.test(devAddr))
    return refusal("device/dev-addr", "abp.devAddr must be 8 hex digits in lower case");
  if (!isSessionKeyId(sessionKeyId))
    return refusal("device/session-key-id", "abp.sessionKeyId must be visible ASCII, at most 128 characters");
  const opened = opener.open(sealed);
  if (opened.result === "refused")
    return refusal(opened.code, "the sealed keys cannot be opened: seal them to the key of GET /sealing-key");
  const [first, ...more] = opened.keys;
  const fits = first?.key.role === "AppSKey" && first.devEui === devEui && first.joinEui === (joinEui ?? noEui);
  if (first === undefined || more.length > 0 || !fits)
    return refusal("device/wrong-keys", "abp.sealed must hold the AppSKey of this device and nothing else");
  return { ...device, abp: { devAddr, sessionKeyId, appSKey: first.key as Key<"AppSKey"> } };
}

const record = (value: unknown): { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null ? (value as { readonly [name: string]: unknown }) : {};
