/** The Things Stack's device JSON: EndDevice objects one after another (no array, though an array is taken too). */
import { type Deviceable, deviceOf, type History } from "./row.ts";
import type { ImportDefaults } from "./rows.ts";

type Loose = { readonly [name: string]: unknown };
type Values = { readonly [name: string]: string | undefined };

export function readTtsDevice(device: Loose, defaults: ImportDefaults) {
  const at = (...path: readonly string[]) => inner(device, ...path);
  const label = text(at("root_keys", "app_key", "kek_label")) ?? text(at("root_keys", "nwk_key", "kek_label"));
  if (label !== undefined) return wrapped(text(at("ids", "dev_eui")));
  const fields = fieldsOf(at);
  const history = historyOf(at);
  if (history === undefined) return outOfRange;
  const deviceable: Deviceable = {
    field: (name) => fields[name] || undefined,
    history,
    joins: at("supports_join") === true,
  };
  return deviceOf(deviceable, defaults);
}

const wrapped = (devEui: string | undefined) => ({
  ok: false as const,
  ...(devEui !== undefined && /^[0-9a-fA-F]{16}$/.test(devEui) ? { devEui: devEui.toLowerCase() } : {}),
  code: "import/wrapped",
  message:
    "its root keys are wrapped under a KEK of The Things Stack, which alone can unwrap them: have them exported unwrapped",
});
const outOfRange = {
  ok: false,
  code: "import/history",
  message: "a DevNonce, JoinNonce or rejoin counter of its history is out of range",
} as const;

const inner = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (at, name) => (typeof at === "object" && at !== null && Object.hasOwn(at, name) ? (at as Loose)[name] : undefined),
    value,
  );

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value.trim() : typeof value === "number" ? String(value) : undefined;
}

type At = (...path: readonly string[]) => unknown;

function fieldsOf(at: At): Values {
  const session = (name: string) => text(at("session", "keys", name, "key"));
  return {
    id: text(at("ids", "device_id")),
    dev_eui: text(at("ids", "dev_eui")),
    join_eui: text(at("ids", "join_eui")),
    dev_addr: text(at("session", "dev_addr")) ?? text(at("ids", "dev_addr")),
    lorawan_version: text(at("lorawan_version")),
    band_id: text(at("version_ids", "band_id")),
    frequency_plan_id: text(at("frequency_plan_id")),
    app_key: text(at("root_keys", "app_key", "key")),
    nwk_key: text(at("root_keys", "nwk_key", "key")),
    f_nwk_s_int_key: session("f_nwk_s_int_key"),
    s_nwk_s_int_key: session("s_nwk_s_int_key"),
    nwk_s_enc_key: session("nwk_s_enc_key"),
    app_s_key: session("app_s_key"),
    last_f_cnt_up: text(at("session", "last_f_cnt_up")),
    last_n_f_cnt_down: text(at("session", "last_n_f_cnt_down")),
    last_a_f_cnt_down: text(at("session", "last_a_f_cnt_down")),
  };
}

/** `undefined` when a number is none, or does not fit its field on the air. */
function historyOf(at: At): History | undefined {
  const used = at("used_dev_nonces") ?? [];
  const last = at("last_dev_nonce");
  const nonces = [...(Array.isArray(used) ? used : [used]), ...(last === undefined ? [] : [last])];
  const counters: Partial<Record<"lastJoinNonce" | "rjCount0" | "rjCount1", unknown>> = {};
  for (const [name, field, most] of historyFields) {
    const value = at(field);
    if (value === undefined) continue;
    if (!isCount(value, most)) return undefined;
    counters[name] = value;
  }
  if (!nonces.every((nonce) => isCount(nonce, 0xffff))) return undefined;
  return { ...(nonces.length > 0 ? { usedDevNonces: [...new Set(nonces)] } : {}), ...(counters as Partial<History>) };
}

const historyFields = [
  ["lastJoinNonce", "last_join_nonce", 0xff_ffff],
  ["rjCount0", "last_rj_count_0", 0xffff],
  ["rjCount1", "last_rj_count_1", 0xffff],
] as const;
const isCount = (value: unknown, most: number): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most;
