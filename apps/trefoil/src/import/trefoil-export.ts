/**
 * Devices whose keys are sealed to this vault already: what `trefoil device export` of another realm wrote, or a maker's own
 * file (docs/importing.md). Nothing here can read a key, and nothing here vouches for one: the vault judges the seal and the provision.
 */
import { isEui, parseSealedKeys } from "@trefoil/custody";
import type { Provision } from "@trefoil/wire";
import { parseId, parseMacVersion } from "../commands/parse.ts";
import type { NewDevice } from "../commands/provision.ts";
import { type ImportDefaults, type RefusedRow, type Remark, unknownJoinNonceStart } from "./rows.ts";

type Loose = { readonly [name: string]: unknown };
type Row = { readonly ok: true; readonly device: NewDevice; readonly remarks: readonly Remark[] } | RefusedRow;

export const exportFormat = "trefoil-export-1";

export function readExportedDevice(row: Loose, defaults: ImportDefaults): Row {
  const { devEui, joinEui } = row;
  if (!isEui(devEui) || !isEui(joinEui))
    return refused("import/eui", "devEui and joinEui: expected 16 hex digits each");
  const refuse = (code: string, message: string) => ({ ...refused(code, message), devEui });
  const sealed = parseSealedKeys(row.sealed);
  if (!sealed) return refuse("sealed/malformed", "sealed: expected a sealed key (docs/sealed-key.md)");
  if (defaults.vault !== undefined && sealed.to !== defaults.vault)
    return refuse("sealed/other-vault", "its keys are sealed to another vault, which alone can open them");
  const provision = provisionOf(row.provision);
  if (provision === "malformed") return refuse("import/provision", "provision: expected a publicKey and a signature");
  const history = historyOf(row);
  if (!history) return refuse("import/history", "a DevNonce, JoinNonce or rejoin counter is out of range");
  try {
    const device: NewDevice = {
      applicationId: defaults.applicationId,
      deviceId: parseId("deviceId", typeof row.deviceId === "string" ? row.deviceId : `eui-${devEui}`),
      devEui,
      joinEui,
      macVersion:
        typeof row.macVersion === "string" ? parseMacVersion("macVersion", row.macVersion) : defaults.macVersion,
      region: typeof row.region === "string" ? row.region : defaults.region,
      keys: new Map(),
      sealed,
      ...(provision ? { provision } : {}),
      ...history,
      lastJoinNonce: history.lastJoinNonce ?? unknownJoinNonceStart,
    };
    const remarks: Remark[] = [];
    if (history.lastJoinNonce === undefined) remarks.push("join-nonce-unknown");
    if (history.usedDevNonces === undefined) remarks.push("dev-nonces-unknown");
    return { ok: true, device, remarks };
  } catch {
    return refuse("import/row", "deviceId or macVersion cannot be read");
  }
}

const refused = (code: string, message: string): RefusedRow => ({ ok: false, code, message });

function provisionOf(value: unknown): Provision | undefined | "malformed" {
  if (value === undefined) return undefined;
  const { publicKey, signature } = (typeof value === "object" && value !== null ? value : {}) as Loose;
  return typeof publicKey === "string" && typeof signature === "string" ? { publicKey, signature } : "malformed";
}

type History = Pick<NewDevice, "usedDevNonces" | "lastJoinNonce" | "rjCount0" | "rjCount1">;
const most = { lastJoinNonce: 0xff_ffff, rjCount0: 0xffff, rjCount1: 0xffff } as const;

function historyOf(row: Loose): History | undefined {
  const { usedDevNonces } = row;
  if (
    usedDevNonces !== undefined &&
    !(Array.isArray(usedDevNonces) && usedDevNonces.every((nonce) => isCount(nonce, 0xffff)))
  )
    return undefined;
  const counters = Object.entries(most).flatMap(([name, limit]) => (row[name] === undefined ? [] : [{ name, limit }]));
  if (!counters.every(({ name, limit }) => isCount(row[name], limit))) return undefined;
  return {
    ...(usedDevNonces === undefined ? {} : { usedDevNonces }),
    ...Object.fromEntries(counters.map(({ name }) => [name, row[name]])),
  };
}

const isCount = (value: unknown, limit: number): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= limit;
