/**
 * The JSON of The Things Stack v3 (MQTT and webhooks), as text. proto3 rules: snake_case, zero values and empty fields left
 * out, EUIs and DevAddr in upper-case hex, octets in base64, uint64 as text. The tests compare with an object-built reference.
 */
import type { NetworkEvent } from "@trefoil/wire";
import type { DownlinkContent } from "../log/events.ts";
import { rxMetadataJson } from "./rx-metadata.ts";
import { settingsJson, timestampOf } from "./settings.ts";
import { asciiJson, duration, gpsToUnixMs, longestMs, quote, rfc3339, sessionKeyIdText, timeMember } from "./text.ts";

/** Who an event is about. */
export type EndDevice = {
  readonly applicationId: string;
  readonly deviceId: string;
  /** Upper-case hex. */
  readonly devEui: string;
  readonly joinEui: string | undefined;
};
export type Uplink = Extract<NetworkEvent, { is: "uplink" }>;

/** What every message begins with. `id` is the event's own: the same however often it is delivered. */
function head(device: EndDevice, devAddr: string | undefined, id: string, receivedAt: number): string {
  return `{"end_device_ids":{"device_id":"${device.deviceId}","application_ids":{"application_id":"${
    device.applicationId
  }"},"dev_eui":"${device.devEui}"${device.joinEui === undefined ? "" : `,"join_eui":"${device.joinEui}"`}${
    devAddr === undefined ? "" : `,"dev_addr":${quote(devAddr.toUpperCase())}`
  }},"correlation_ids":[${quote(id)}]${timeMember("received_at", receivedAt)},`;
}

/** `frmPayload` is base64 and clear. `receivedAt`: when the application-server took it. */
export function uplinkJson(
  device: EndDevice,
  up: Uplink,
  frmPayload: string,
  receivedAt: number,
  netId: string,
): string {
  let rxMetadata = "";
  for (const rx of up.rxMetadata) rxMetadata += (rxMetadata === "" ? "" : ",") + rxMetadataJson(rx);
  const first = up.rxMetadata[0];
  const time = first?.gpsTimeMs === undefined ? undefined : rfc3339(gpsToUnixMs(first.gpsTimeMs));
  return `${head(device, up.devAddr, up.id, receivedAt)}"uplink_message":{"session_key_id":"${sessionKeyIdText(
    up.sessionKeyId,
  )}"${up.fPort ? `,"f_port":${up.fPort}` : ""}${up.fCntUp === 0 ? "" : `,"f_cnt":${up.fCntUp}`}${
    frmPayload === "" ? "" : `,"frm_payload":"${frmPayload}"`
  }${rxMetadata === "" ? "" : `,"rx_metadata":[${rxMetadata}]`},${settingsJson(
    up.hz,
    up.dataRate,
    up.codingRate,
    first === undefined ? 0 : timestampOf(first.concentratorTime),
    time,
  )}${timeMember("received_at", up.at)}${up.confirmed ? ',"confirmed":true' : ""}${
    up.airtimeMs > 0 && up.airtimeMs <= longestMs ? `,"consumed_airtime":"${duration(up.airtimeMs)}"` : ""
  },"network_ids":{"net_id":"${netId}"}}}`;
}

export function joinJson(device: EndDevice, join: Extract<NetworkEvent, { is: "join" }>, receivedAt: number): string {
  const accept = `{"session_key_id":"${sessionKeyIdText(join.sessionKeyId)}"${timeMember("received_at", join.at)}}`;
  return `${head(device, join.devAddr, join.id, receivedAt)}"join_accept":${accept}}`;
}

/** Where a downlink got its counter. */
export type Counted = { readonly sessionKeyId: string; readonly fCntDown: number };

function downlinkFields(content: DownlinkContent, counted: Counted | undefined): object {
  const { fPort, frmPayload, confirmed, priority, correlationIds } = content;
  return {
    ...(counted ? { session_key_id: sessionKeyIdText(counted.sessionKeyId) } : {}),
    ...(fPort ? { f_port: fPort } : {}),
    ...(counted?.fCntDown ? { f_cnt: counted.fCntDown } : {}),
    ...(frmPayload ? { frm_payload: frmPayload } : {}),
    ...(confirmed ? { confirmed } : {}),
    ...(priority && priority !== "LOWEST" ? { priority } : {}),
    ...(correlationIds?.length ? { correlation_ids: correlationIds } : {}),
  };
}

export type DownlinkMessage = "downlink_queued" | "downlink_sent" | "downlink_ack" | "downlink_nack";
export type About = { readonly id: string; readonly devAddr?: string };

export function downlinkJson(
  device: EndDevice,
  about: About,
  receivedAt: number,
  message: DownlinkMessage,
  content: DownlinkContent,
  counted?: Counted,
): string {
  return `${head(device, about.devAddr, about.id, receivedAt)}"${message}":${asciiJson(downlinkFields(content, counted))}}`;
}

/** google.rpc.Code of what we refuse. */
const rpcCode = { INVALID_ARGUMENT: 3, FAILED_PRECONDITION: 9 };

/** `code`: "downlink/too-long" gives namespace and name; a network-server's reason may be a name alone. */
export function downlinkFailedJson(
  device: EndDevice,
  about: About,
  receivedAt: number,
  content: DownlinkContent,
  code: string,
  counted?: Counted,
): string {
  const slash = code.indexOf("/");
  const area = slash < 0 ? "downlink" : code.slice(0, slash);
  const name = code.slice(slash + 1);
  const error = {
    namespace: `trefoil/${area}`,
    name: name.replaceAll("-", "_"),
    message_format: `${name.replaceAll("-", " ")} (${code})`,
    code: counted ? rpcCode.FAILED_PRECONDITION : rpcCode.INVALID_ARGUMENT,
  };
  const failed = { downlink: downlinkFields(content, counted), error };
  return `${head(device, about.devAddr, about.id, receivedAt)}"downlink_failed":${asciiJson(failed)}}`;
}
