/** What applications publish to `down/push` and `down/replace`: {"downlinks":[{"f_port","frm_payload","priority","confirmed","correlation_ids"}]} */
import { type DownlinkContent, type Priority, priorities } from "../log/events.ts";

export type ParsedPush =
  | { readonly result: "valid"; readonly downlinks: readonly Required<DownlinkContent>[] }
  /** `downlink`: what could be read of the first one that is wrong. */
  | { readonly result: "refused"; readonly code: string; readonly downlink: DownlinkContent };

export const limits = {
  messageOctets: 64 * 1024,
  downlinks: 100,
  /** The longest FRMPayload that any data rate of any region carries (RP002-1.0.4, N without FOpts). */
  payloadOctets: 242,
  correlationIds: 10,
  correlationIdLength: 100,
};

const refused = (code: string, downlink: DownlinkContent = {}): ParsedPush => ({ result: "refused", code, downlink });

export function parsePush(message: Uint8Array): ParsedPush {
  if (message.length > limits.messageOctets) return refused("downlink/message-too-large");
  const value = parseJson(message);
  if (value === undefined) return refused("downlink/not-json");
  const list = isRecord(value) ? value.downlinks : undefined;
  if (!Array.isArray(list)) return refused("downlink/no-downlinks");
  if (list.length > limits.downlinks) return refused("downlink/too-many");
  const downlinks: Required<DownlinkContent>[] = [];
  for (const item of list) {
    const parsed = parseDownlink(item);
    if (typeof parsed === "string") return refused(parsed, readable(item));
    downlinks.push(parsed);
  }
  return { result: "valid", downlinks };
}

/** The downlink, or the code of what is wrong with it. Names that are not known are ignored, as The Things Stack does. */
function parseDownlink(item: unknown): Required<DownlinkContent> | string {
  if (!isRecord(item)) return "downlink/malformed";
  const { f_port, frm_payload = "", priority = "LOWEST", confirmed = false, correlation_ids = [] } = item;
  if (item.decoded_payload !== undefined) return "downlink/no-encoder";
  if (item.class_b_c !== undefined) return "downlink/class-a-only";
  if (!isFPort(f_port)) return "downlink/f-port";
  if (!isBase64(frm_payload)) return "downlink/not-base64";
  if (Buffer.byteLength(frm_payload, "base64") > limits.payloadOctets) return "downlink/too-long";
  if (!isPriority(priority)) return "downlink/priority";
  if (typeof confirmed !== "boolean") return "downlink/confirmed";
  if (!areCorrelationIds(correlation_ids)) return "downlink/correlation-ids";
  return { fPort: f_port, frmPayload: frm_payload, priority, confirmed, correlationIds: correlation_ids };
}

/** FPort 1 to 223 are the application's (TS001-1.0.4 §4.3.2). */
const isFPort = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 223;
const isPriority = (value: unknown): value is Priority => priorities.includes(value as Priority);
/** Padded, in the standard alphabet: exactly what would be written again. */
const isBase64 = (value: unknown): value is string =>
  typeof value === "string" && Buffer.from(value, "base64").toString("base64") === value;
const areCorrelationIds = (value: unknown): value is string[] =>
  Array.isArray(value) &&
  value.length <= limits.correlationIds &&
  value.every((id) => typeof id === "string" && id.length <= limits.correlationIdLength);

/** For the answer to whoever sent it: the fields that are right. */
function readable(item: unknown): DownlinkContent {
  if (!isRecord(item)) return {};
  return {
    ...(isFPort(item.f_port) ? { fPort: item.f_port } : {}),
    ...(areCorrelationIds(item.correlation_ids) ? { correlationIds: item.correlation_ids } : {}),
  };
}

const isRecord = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const utf8 = new TextDecoder("utf-8", { fatal: true });
function parseJson(octets: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(octets));
  } catch {
    return undefined;
  }
}
