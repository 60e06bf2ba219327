/** From the log to what subscribers get: opens entries, decrypts, and makes topic and JSON once for all who read them. */
import { cryptFrmPayload, type KeySchedule } from "@trefoil/lorawan";
import { type DeviceTable, none } from "../devices/device-table.ts";
import {
  downlinkFailedJson,
  downlinkJson,
  type EndDevice,
  joinJson,
  type Uplink,
  uplinkJson,
} from "../json/messages.ts";
import { upperEui } from "../json/text.ts";
import type { Entry, OpenEntry, Rendered } from "./event-log.ts";
import { type DownlinkContent, kindOf, type LogEvent, topicKinds } from "./events.ts";

export type RenderPorts = {
  readonly devices: DeviceTable;
  readonly applicationId: (application: number) => string | undefined;
  readonly appSKey: (device: number, sessionKeyId: string) => KeySchedule | undefined;
  /** What was queued under this id, while the log speaks of it. */
  readonly downlink: (queueId: string) => DownlinkContent | undefined;
  /** Lower-case hex. */
  readonly netId: string;
  readonly unreadable: () => void;
  /** Making an event's message threw. */
  readonly unrenderable: (event: LogEvent, error: unknown) => void;
};
export type Renderer = {
  readonly open: OpenEntry;
  /** Undefined where the event cannot be shown: no key, the device is gone, or it cannot be made text. Never throws for an event. */
  readonly render: (entry: Entry, index: number) => Rendered | undefined;
};

export function makeRenderer(ports: RenderPorts): Renderer {
  const { devices } = ports;
  const netId = ports.netId.toUpperCase();

  const open: OpenEntry = (position, at, events) => {
    const entry: Entry = {
      position,
      at,
      events,
      devices: new Int32Array(events.length),
      applications: new Int32Array(events.length),
      kinds: new Int8Array(events.length),
      rendered: new Array(events.length),
    };
    for (let i = 0; i < events.length; i++) {
      const event = events[i] as LogEvent;
      const device = devices.find(event.devEui);
      entry.devices[i] = device;
      entry.applications[i] = device === none ? none : devices.application(device);
      entry.kinds[i] = device === none ? none : kindOf[event.is];
    }
    return entry;
  };

  function endDevice(device: number, applicationId: string): EndDevice {
    const deviceId = devices.deviceId(device);
    const devEui = upperEui(devices.euiWord(device, 0), devices.euiWord(device, 1));
    const joinEui = devices.hasJoinEui(device)
      ? upperEui(devices.euiWord(device, 2), devices.euiWord(device, 3))
      : undefined;
    return { applicationId, deviceId, devEui, joinEui };
  }

  function make(event: LogEvent, device: number, who: EndDevice, at: number): string | undefined {
    switch (event.is) {
      case "uplink": {
        const clear = decrypt(event, ports.appSKey(device, event.sessionKeyId));
        return clear === undefined ? undefined : uplinkJson(who, event, clear, at, netId);
      }
      case "join":
        return joinJson(who, event, at);
      case "queued":
        return downlinkJson(who, event, at, "downlink_queued", event.downlink);
      case "refused":
        return downlinkFailedJson(who, event, at, event.downlink, event.code);
      case "downlink.sent":
        return downlinkJson(who, event, at, "downlink_sent", ports.downlink(event.queueId) ?? {}, event);
      case "downlink.acknowledged":
        return downlinkJson(who, event, at, "downlink_ack", ports.downlink(event.queueId) ?? {}, event);
      case "downlink.not-acknowledged":
        return downlinkJson(who, event, at, "downlink_nack", ports.downlink(event.queueId) ?? {}, event);
      case "downlink.failed":
        return downlinkFailedJson(who, event, at, ports.downlink(event.queueId) ?? {}, event.reason, event);
      case "downlink.invalidated":
        return undefined;
    }
  }

  function render(entry: Entry, index: number): Rendered | undefined {
    const known = entry.rendered[index];
    if (known !== undefined) return known ?? undefined;
    const device = entry.devices[index] as number;
    const event = entry.events[index] as LogEvent;
    const applicationId = ports.applicationId(entry.applications[index] as number);
    if (applicationId === undefined || !devices.has(device)) return undefined;
    const who = endDevice(device, applicationId);
    let payload: string | undefined;
    try {
      payload = make(event, device, who, entry.at);
      if (payload === undefined) ports.unreadable();
    } catch (error) {
      // Readers come again until their cursor has passed an event: one that throws would hold all of them up for ever.
      ports.unrenderable(event, error);
    }
    if (payload === undefined) {
      entry.rendered[index] = null;
      return undefined;
    }
    const kind = topicKinds[entry.kinds[index] as number];
    const rendered = { topic: `v3/${applicationId}/devices/${who.deviceId}/${kind}`, payload };
    entry.rendered[index] = rendered;
    return rendered;
  }

  return { open, render };
}

/** Decryption happens here and leaves nothing on the heap but the text that is published. */
const scratch = Buffer.alloc(512);

/** FRMPayload in the clear, base64. Undefined without a key, unless there is nothing to decrypt. */
function decrypt(up: Uplink, key: KeySchedule | undefined): string | undefined {
  if (up.frmPayload === "") return "";
  if (key === undefined) return undefined;
  const octets = scratch.subarray(0, scratch.write(up.frmPayload, 0, "base64"));
  cryptFrmPayload(key, "up", Number.parseInt(up.devAddr, 16), up.fCntUp, octets, octets);
  return octets.toString("base64");
}
