/**
 * Hands a frame to gateways, one after another, until one takes it or the time is over. All get the same octets: a frame that
 * reached a gateway without an answer may be sent twice, but never two frames under one counter. Of such a frame nobody knows
 * whether it was on the air.
 */
import type { Priority, Reception, Transmit, Transmitted, Window } from "@trefoil/wire";

export type TransmitPorts = {
  /** Asks the gateway-server. Rejects with a Fault when there is none. */
  readonly request: (transmit: Transmit, timeoutMs: number) => Promise<Transmitted>;
  /** Milliseconds since the frame that is answered was heard first. */
  readonly elapsedMs: () => number;
};
/** One hearing of the uplink, and the windows as they follow from it. Best gateway first. */
export type Attempt = { readonly reception: Reception; readonly windows: readonly Window[] };
export type Fate =
  | { readonly result: "sent"; readonly gateway: string; readonly window: number }
  /** One gateway at least may have sent it, and none said so. */
  | { readonly result: "unknown"; readonly gateway: string; readonly code: string }
  /** No gateway sent it. */
  | { readonly result: "failed"; readonly code: string };

/** The gateway got it and was silent. */
const silent = "gateway/no-tx-ack";
/** Faults after which the frame surely has not left; after any other (link/timeout, link/lost) it may have. */
const notAsked = ["link/down", "link/overloaded", "link/too-large", "link/unknown-method", "link/invalid-body"];

/** Time for the way to the gateway and its preparation. */
const leadMs = 20;
/** The gateway's own answer may come late: TX_ACK has no deadline of its own. */
const graceMs = 1_000;

export async function transmit(
  phyPayload: Uint8Array,
  priority: Priority,
  attempts: readonly Attempt[],
  ports: TransmitPorts,
): Promise<Fate> {
  const text = Buffer.from(phyPayload.buffer, phyPayload.byteOffset, phyPayload.length).toString("base64");
  let code = "schedule/no-window";
  let unknown: Fate | undefined;
  for (const { reception, windows } of attempts) {
    const lastMs = Math.max(...windows.map(({ delayUs }) => delayUs)) / 1_000;
    const left = lastMs - ports.elapsedMs() - leadMs;
    if (windows.length === 0) continue;
    if (left <= 0) return unknown ?? { result: "failed", code: "schedule/too-late" };
    const { gateway, concentratorTime } = reception;
    try {
      const answer = await ports.request(
        { gateway, phyPayload: text, concentratorTime, windows, priority },
        left + graceMs,
      );
      if (answer.result === "transmitted") return { result: "sent", gateway, window: answer.window };
      code = answer.code;
      if (code === silent) unknown ??= { result: "unknown", gateway, code };
    } catch (error) {
      code = (error as { code?: string }).code ?? "link/failed";
      if (!notAsked.includes(code)) unknown ??= { result: "unknown", gateway, code };
    }
  }
  return unknown ?? { result: "failed", code };
}
