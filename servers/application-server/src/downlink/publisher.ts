/** What an application published to `down/push` or `down/replace` of one of its devices, on its way into the queue. */
import { randomUUID } from "node:crypto";
import type { Ops } from "../devices/session-book.ts";
import type { EventLog } from "../log/event-log.ts";
import type { DownlinkContent, OwnEvent } from "../log/events.ts";
import type { Metrics } from "../metrics.ts";
import { parsePush } from "./parse.ts";
import { type DownlinkQueue, mostPerDevice } from "./queue.ts";
import type { Sender } from "./sender.ts";

export type Target = { readonly device: number; readonly devEui: string };
export type PublisherPorts = {
  readonly queue: DownlinkQueue;
  readonly sender: Sender;
  readonly log: EventLog;
  readonly metrics: Metrics;
};

/** Resolves when its fate is on the disk: with the code of its refusal, if it was refused. */
export async function takeDownlinks(
  { queue, sender, log, metrics }: PublisherPorts,
  { device, devEui }: Target,
  what: "push" | "replace",
  message: Uint8Array,
): Promise<string | undefined> {
  const own = (downlink: DownlinkContent) => ({ id: randomUUID(), devEui, at: Date.now(), downlink });
  const refuse = async (code: string, downlink: DownlinkContent) => {
    metrics.downlinks.inc({ outcome: "refused" });
    await log.append([{ is: "refused", code, ...own(downlink) }], []);
    return code;
  };
  const parsed = parsePush(message);
  if (parsed.result === "refused") return refuse(parsed.code, parsed.downlink);
  const { downlinks } = parsed;
  const waiting = what === "push" ? queue.of(device).length : 0;
  if (waiting + downlinks.length > mostPerDevice) return refuse("downlink/queue-full", downlinks[0] ?? {});

  const ops: Ops = [];
  if (what === "replace") queue.clear(device, ops);
  const items = queue.push(device, downlinks, ops);
  const events: OwnEvent[] = downlinks.map((downlink) => ({ is: "queued", ...own(downlink) }));
  try {
    await log.append(events, ops);
  } catch (error) {
    for (const item of items) queue.remove(item);
    throw error;
  }
  for (const item of items) item.ready = true;
  metrics.downlinks.inc({ outcome: "queued" }, items.length);
  sender.advance(device);
  return undefined;
}
