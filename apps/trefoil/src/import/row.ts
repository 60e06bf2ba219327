/** What both import formats share: named text fields become a device. */
import type { Key, KeyRole } from "@trefoil/custody";
import { UserError } from "../commands/output.ts";
import { parseCount, parseEui, parseHex, parseId, parseMacVersion } from "../commands/parse.ts";
import { keyRoles, type NewDevice } from "../commands/provision.ts";
import { parseKey } from "../commands/read-keys.ts";
import { type ImportDefaults, type ImportRow, unknownJoinNonceStart } from "./rows.ts";

/** Fields by The Things Stack's names; absent or empty means not given. */
export type Fields = { readonly [name: string]: string | undefined };
export type History = { readonly usedDevNonces?: readonly number[]; readonly lastJoinNonce?: number };

/** Never throws: a row that cannot be a device says why. */
export function deviceOf(fields: Fields, history: History, defaults: ImportDefaults): ImportRow {
  const given = (name: string) => (fields[name]?.trim() ? fields[name].trim() : undefined);
  try {
    const devEui = parseEui("dev_eui", given("dev_eui") ?? "");
    const joinEui = given("join_eui") ?? given("app_eui");
    const version = given("lorawan_version");
    const macVersion = version === undefined ? defaults.macVersion : parseMacVersion("lorawan_version", version);
    const devAddr = given("dev_addr");
    const activation = (given("app_key") ?? given("nwk_key")) ? "otaa" : "abp";
    if (activation === "abp" && devAddr === undefined)
      throw new UserError("import/no-keys", "neither root keys nor a session");
    const device: NewDevice = {
      applicationId: defaults.applicationId,
      deviceId: parseId("id", given("id") ?? `eui-${devEui}`),
      devEui,
      ...(joinEui === undefined ? {} : { joinEui: parseEui("join_eui", joinEui) }),
      macVersion,
      region: regionOf(given("band_id") ?? given("frequency_plan_id")) ?? defaults.region,
      keys: keysOf(keyRoles(macVersion, activation), given),
      ...(activation === "abp"
        ? { abp: sessionOf(devAddr as string, given) }
        : { ...history, lastJoinNonce: history.lastJoinNonce ?? unknownJoinNonceStart }),
    };
    return { ok: true, device, joinNonceKnown: history.lastJoinNonce !== undefined };
  } catch (error) {
    const { code, message } = error instanceof UserError ? error : { code: "import/row", message: "cannot be read" };
    return { ok: false, ...(given("dev_eui") ? { devEui: given("dev_eui") as string } : {}), code, message };
  }
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

function keysOf(roles: readonly KeyRole[], given: (name: string) => string | undefined): Map<KeyRole, Key> {
  const keys = new Map<KeyRole, Key>();
  for (const role of roles) {
    const names = columns[role] ?? [];
    const text = names.map(given).find((value) => value !== undefined);
    const key = text === undefined ? undefined : parseKey(role, text);
    // The value itself never enters a message.
    if (!key)
      throw new UserError(
        "import/key",
        `${names[0]}: expected 32 hex digits${text === undefined ? ", found nothing" : ""}`,
      );
    keys.set(role, key);
  }
  return keys;
}

function sessionOf(devAddr: string, given: (name: string) => string | undefined): NonNullable<NewDevice["abp"]> {
  const up = given("last_f_cnt_up");
  const down = given("last_n_f_cnt_down");
  const applicationDown = given("last_a_f_cnt_down");
  return {
    devAddr: parseHex("dev_addr", 8, devAddr),
    ...(up === undefined ? {} : { fCntUp: parseCount("last_f_cnt_up", up) }),
    ...(down === undefined ? {} : { fCntDown: parseCount("last_n_f_cnt_down", down) }),
    ...(applicationDown === undefined ? {} : { aFCntDown: parseCount("last_a_f_cnt_down", applicationDown) }),
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
const regionOf = (plan: string | undefined) =>
  plan === undefined ? undefined : bands.find(([prefix]) => plan.startsWith(prefix))?.[1];
