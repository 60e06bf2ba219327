/** The Things Stack's device JSON: EndDevice objects one after another (no array, though an array is taken too). */
import { UserError } from "../commands/output.ts";
import { deviceOf, type History } from "./row.ts";
import type { ImportDefaults, ImportRow } from "./rows.ts";

type Loose = { readonly [name: string]: unknown };

export function readTtsJson(text: string, defaults: ImportDefaults): ImportRow[] {
  return objects(text).map((device) => deviceOf(fieldsOf(device), historyOf(device), defaults));
}

const inner = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((at, name) => (typeof at === "object" && at !== null ? (at as Loose)[name] : undefined), value);

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined;
}

function fieldsOf(device: unknown) {
  const session = (name: string) => text(inner(device, "session", "keys", name, "key"));
  return {
    id: text(inner(device, "ids", "device_id")),
    dev_eui: text(inner(device, "ids", "dev_eui")),
    join_eui: text(inner(device, "ids", "join_eui")),
    dev_addr: text(inner(device, "session", "dev_addr")) ?? text(inner(device, "ids", "dev_addr")),
    lorawan_version: text(inner(device, "lorawan_version")),
    frequency_plan_id: text(inner(device, "frequency_plan_id")),
    app_key: text(inner(device, "root_keys", "app_key", "key")),
    nwk_key: text(inner(device, "root_keys", "nwk_key", "key")),
    f_nwk_s_int_key: session("f_nwk_s_int_key"),
    s_nwk_s_int_key: session("s_nwk_s_int_key"),
    nwk_s_enc_key: session("nwk_s_enc_key"),
    app_s_key: session("app_s_key"),
    last_f_cnt_up: text(inner(device, "session", "last_f_cnt_up")),
    last_n_f_cnt_down: text(inner(device, "session", "last_n_f_cnt_down")),
    last_a_f_cnt_down: text(inner(device, "session", "last_a_f_cnt_down")),
  };
}

function historyOf(device: unknown): History {
  const used = inner(device, "used_dev_nonces");
  const last = inner(device, "last_dev_nonce");
  const joinNonce = inner(device, "last_join_nonce");
  const nonces = [...(Array.isArray(used) ? used : []), ...(last === undefined ? [] : [last])].filter(
    (value): value is number => Number.isInteger(value),
  );
  return {
    ...(nonces.length > 0 ? { usedDevNonces: [...new Set(nonces)] } : {}),
    ...(typeof joinNonce === "number" ? { lastJoinNonce: joinNonce } : {}),
  };
}

/** Splits a stream of JSON values at the braces that close them. */
function objects(stream: string): unknown[] {
  const found: unknown[] = [];
  let depth = 0;
  let start = -1;
  let inString = false;
  for (let i = 0; i < stream.length; i++) {
    const at = stream[i];
    if (inString) {
      if (at === "\\") i++;
      else if (at === '"') inString = false;
    } else if (at === '"') inString = true;
    else if (at === "{" && depth++ === 0) start = i;
    else if (at === "}" && --depth === 0) found.push(parse(stream.slice(start, i + 1), found.length + 1));
  }
  if (depth !== 0) throw new UserError("import/format", "the JSON ends in the middle of a device");
  return found;
}

function parse(text: string, number: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UserError("import/format", `device ${number} of the file is not JSON`);
  }
}
