/** What the log holds: the network-server's events as they came, and the application-server's own about downlinks. */
import type { NetworkEvent } from "@trefoil/wire";

export const priorities = ["LOWEST", "LOW", "BELOW_NORMAL", "NORMAL", "ABOVE_NORMAL", "HIGH", "HIGHEST"] as const;
export type Priority = (typeof priorities)[number];

/** A downlink as an application pushed it. Where it was refused, what of it could be read. `frmPayload` is base64, clear. */
export type DownlinkContent = {
  readonly fPort?: number;
  readonly frmPayload?: string;
  readonly confirmed?: boolean;
  readonly priority?: Priority;
  readonly correlationIds?: readonly string[];
};

type Own = { readonly id: string; readonly devEui: string; readonly at: number; readonly downlink: DownlinkContent };
export type OwnEvent =
  | (Own & { readonly is: "queued" })
  /** It will never be sent: bad input, a full queue, or the network-server's refusal. */
  | (Own & { readonly is: "refused"; readonly code: string });
export type LogEvent = NetworkEvent | OwnEvent;

/**
 * The last part of an event's topic; each has one bit, so that a set of them is a number. The last three may be subscribed to, as
 * with The Things Stack, and nothing is published there yet.
 */
export const topicKinds = [
  "up",
  "join",
  "down/queued",
  "down/sent",
  "down/ack",
  "down/nack",
  "down/failed",
  "down/invalidated",
  "up/normalized",
  "location/solved",
  "service/data",
] as const;
export type TopicKind = (typeof topicKinds)[number];

/**
 * Where each event is published: an index of `topicKinds`; -1: nowhere. An invalidated downlink is encrypted anew by this
 * server, so applications are not told, as with The Things Stack: they would push it a second time.
 */
export const kindOf: { readonly [is in LogEvent["is"]]: number } = {
  uplink: topicKinds.indexOf("up"),
  join: topicKinds.indexOf("join"),
  queued: topicKinds.indexOf("down/queued"),
  refused: topicKinds.indexOf("down/failed"),
  "downlink.sent": topicKinds.indexOf("down/sent"),
  "downlink.acknowledged": topicKinds.indexOf("down/ack"),
  "downlink.not-acknowledged": topicKinds.indexOf("down/nack"),
  "downlink.failed": topicKinds.indexOf("down/failed"),
  "downlink.invalidated": -1,
};
