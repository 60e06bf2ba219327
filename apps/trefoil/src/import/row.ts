/** What The Things Stack's formats share: named text fields become a device. */
import type { Key, KeyRole } from "@trefoil/custody";
import { UserError } from "../commands/output.ts";
import { parseCount, parseEui, parseHex, parseId, parseMacVersion } from "../commands/parse.ts";
import { keyRoles, type NewDevice } from "../commands/provision.ts";
import { parseKey } from "../commands/read-keys.ts";
import { type ImportDefaults, type RefusedRow, type Remark, unknownJoinNonceStart } from "./rows.ts";

export type History = {
  readonly usedDevNonces?: readonly number[];
  readonly lastJoinNonce?: number;
  readonly rjCount0?: number;
  readonly rjCount1?: number;
};
/** Fields by The Things Stack's names; `undefined` where a field is absent or empty. */
export type Deviceable = {
  readonly field: (name: string) => string | undefined;
  readonly history: History;
  /** It says of itself that it joins: a session alone does not make it a personalised device. */
  readonly joins?: boolean;
};
type Row = { readonly ok: true; readonly device: NewDevice; readonly remarks: readonly Remark[] } | RefusedRow;

/** Never throws: a row that cannot be a device says why. No message repeats a value: in a shifted row it may be a key. */
export function deviceOf({ field, history, joins = false }: Deviceable, defaults: ImportDefaults): Row {
  let devEui: string | undefined;
  try {
    devEui = parseEui("dev_eui", field("dev_eui") ?? "");
    const hasRootKeys = (field("app_key") ?? field("nwk_key")) !== undefined;
    if (!hasRootKeys && (joins || field("dev_addr") === undefined)) throw noKeys();
    if (!hasRootKeys && defaults.alone)
      throw new UserError(
        "import/personalised",
        "a Join Server alone keeps no sessions, and this device has nothing else",
      );
    return hasRootKeys ? joining(devEui, field, history, defaults) : personalised(devEui, field, defaults);
  } catch (error) {
    const { code, message } = error instanceof UserError ? error : { code: "import/row", message: "cannot be read" };
    return { ok: false, ...(devEui ? { devEui } : {}), code, message: message.replace(/, found "[\s\S]*"$/, "") };
  }
}

const noKeys = () =>
  new UserError(
    "import/no-keys",
    "the file has no root keys of it: export with root keys, or ask the Join Server that holds them",
  );

function joining(
  devEui: string,
  field: Deviceable["field"],
  history: History,
  defaults: ImportDefaults,
): Extract<Row, { ok: true }> {
  const described = describe(devEui, field, defaults);
  const joinEui = field("join_eui") ?? field("app_eui");
  if (joinEui === undefined) throw new UserError("import/join-eui", "join_eui: missing, and the device joins");
  const remarks: Remark[] = [];
  if (history.lastJoinNonce === undefined) remarks.push("join-nonce-unknown");
  if (history.usedDevNonces === undefined) remarks.push("dev-nonces-unknown");
  if (field("dev_addr") !== undefined) remarks.push("session-left-behind");
  const device: NewDevice = {
    ...described.device,
    joinEui: parseEui("join_eui", joinEui),
    keys: keysOf(keyRoles(described.device.macVersion, "otaa"), field),
    ...history,
    lastJoinNonce: history.lastJoinNonce ?? unknownJoinNonceStart,
  };
  return { ok: true, device, remarks: [...described.remarks, ...remarks] };
}

function personalised(
  devEui: string,
  field: Deviceable["field"],
  defaults: ImportDefaults,
): Extract<Row, { ok: true }> {
  const { device, remarks } = describe(devEui, field, defaults);
  const joinEui = field("join_eui") ?? field("app_eui");
  const keys = keysOf(keyRoles(device.macVersion, "abp"), field);
  const abp = sessionOf(field("dev_addr") ?? "", field);
  const isCounted = abp.fCntUp !== undefined && abp.fCntDown !== undefined;
  return {
    ok: true,
    remarks: isCounted ? remarks : [...remarks, "counters-unknown"],
    device: { ...device, ...(joinEui === undefined ? {} : { joinEui: parseEui("join_eui", joinEui) }), keys, abp },
  };
}

function describe(devEui: string, field: Deviceable["field"], defaults: ImportDefaults) {
  const version = field("lorawan_version");
  const plan = field("band_id") ?? field("frequency_plan_id");
  const region = plan === undefined ? defaults.region : bands.find(([prefix]) => plan.startsWith(prefix))?.[1];
  const remarks: readonly Remark[] = region === undefined ? ["region-unknown"] : [];
  return {
    remarks,
    device: {
      applicationId: defaults.applicationId,
      deviceId: parseId("id", field("id") ?? `eui-${devEui}`),
      devEui,
      macVersion: version === undefined ? defaults.macVersion : parseMacVersion("lorawan_version", version),
      region: region ?? defaults.region,
      origin: "file",
    } as const,
  };
}

/** The columns in which a key of this role may stand. The Things Stack keeps a 1.0.x NwkSKey as f_nwk_s_int_key. */
const columns: { readonly [role in KeyRole]?: readonly string[] } = {
  AppKey: ["app_key"],
  NwkKey: ["nwk_key"],
  AppSKey: ["app_s_key"],
  NwkSKey: ["f_nwk_s_int_key", "nwk_s_key"],
  FNwkSIntKey: ["f_nwk_s_int_key"],
  SNwkSIntKey: ["s_nwk_s_int_key"],
  NwkSEncKey: ["nwk_s_enc_key"],
};

function keysOf(roles: readonly KeyRole[], field: Deviceable["field"]): Map<KeyRole, Key> {
  const keys = new Map<KeyRole, Key>();
  for (const role of roles) {
    const names = columns[role] ?? [];
    const text = names.map(field).find((value) => value !== undefined);
    const key = text === undefined ? undefined : parseKey(role, text);
    if (!key)
      throw new UserError(
        "import/key",
        `${names[0]}: expected 32 hex digits${text === undefined ? ", is missing" : ""}`,
      );
    keys.set(role, key);
  }
  return keys;
}

function sessionOf(devAddr: string, field: Deviceable["field"]): NonNullable<NewDevice["abp"]> {
  const count = (name: string) => {
    const text = field(name);
    return text === undefined ? undefined : parseCount(name, text);
  };
  const [up, down, applicationDown] = [count("last_f_cnt_up"), count("last_n_f_cnt_down"), count("last_a_f_cnt_down")];
  return {
    devAddr: parseHex("dev_addr", 8, devAddr),
    ...(up === undefined ? {} : { fCntUp: up }),
    ...(down === undefined ? {} : { fCntDown: down }),
    ...(applicationDown === undefined ? {} : { aFCntDown: applicationDown }),
  };
}

/** "EU_863_870" and "EU_863_870_TTN" are EU868 here; unknown plans fall back to the network's region. */
const bands: readonly (readonly [string, string])[] = [
  ["EU_863_870", "EU868"],
  ["US_902_928", "US915"],
  ["AU_915_928", "AU915"],
  ["EU_433", "EU433"],
  ["IN_865_867", "IN865"],
  ["KR_920_923", "KR920"],
  ["RU_864_870", "RU864"],
  ["CN_779_787", "CN779"],
  ["AS_923_2", "AS923-2"],
  ["AS_923_3", "AS923-3"],
  ["AS_923_4", "AS923-4"],
  ["AS_9", "AS923-1"],
  ["CN_470", "CN470"],
];
