/**
 * A batch that the application-server will never take as it is: sent in parts, halved until the event that is refused stands
 * alone. That one is put aside, all others arrive. Every step is on the disk before the next, and the parts follow from what is left
 * and what is refused alone: after a crash the same part comes again under the same number, and is taken once.
 */
import type { NetworkEvent } from "@trefoil/wire";
import type { OutboxBatch } from "./outbox.ts";

export type Refused = { readonly event: NetworkEvent; readonly code: string };
export type PartsPorts = {
  readonly send: (batch: OutboxBatch) => Promise<unknown>;
  /** Stores what is left, and the event that was refused. */
  readonly left: (events: readonly NetworkEvent[], refused?: Refused) => Promise<void>;
  /** False when the link was lost meanwhile. */
  readonly isCurrent: () => boolean;
};

/** Refusals of what was said. Others that are final (a store that is closed) blame no event. */
const blaming = ["link/invalid-body", "link/too-large"];

export function isRefusedForGood(error: unknown): error is { readonly code: string } {
  const { code, retry } = (error ?? {}) as { code?: string; retry?: string };
  return retry === "never" && blaming.includes(code ?? "");
}

/** `code`: why the whole was refused. Rejects when the rest must wait. */
export async function sendInParts(batch: OutboxBatch, code: string, ports: PartsPorts): Promise<void> {
  let rest = batch.events;
  let size = rest.length;
  let refusal: string | undefined = code;
  while (rest.length > 0) {
    if (refusal === undefined) {
      rest = rest.slice(size);
      await ports.left(rest);
      size = rest.length;
    } else if (size > 1) size = Math.ceil(size / 2);
    else {
      const event = rest[0] as NetworkEvent;
      rest = rest.slice(1);
      await ports.left(rest, { event, code: refusal });
      size = rest.length;
    }
    if (size === 0) return;
    if (!ports.isCurrent()) throw new Error("the link was lost");
    refusal = await refusalOf(ports.send({ ...batch, events: rest.slice(0, size) }));
  }
}

async function refusalOf(sent: Promise<unknown>): Promise<string | undefined> {
  try {
    await sent;
    return undefined;
  } catch (error) {
    if (isRefusedForGood(error)) return error.code;
    throw error;
  }
}
