/**
 * Hands a frame to gateways, one after another, until one takes it or the time is over. All get the same octets: a frame that
 * reached a gateway without an answer may be sent twice, but never two frames under one counter.
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
  | { readonly result: "failed"; readonly code: string };

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
  for (const { reception, windows } of attempts) {
    const lastMs = Math.max(...windows.map(({ delayUs }) => delayUs)) / 1_000;
    const left = lastMs - ports.elapsedMs() - leadMs;
    if (windows.length === 0) continue;
    if (left <= 0) return { result: "failed", code: "schedule/too-late" };
    const { gateway, concentratorTime } = reception;
    try {
      const answer = await ports.request(
        { gateway, phyPayload: text, concentratorTime, windows, priority },
        left + graceMs,
      );
      if (answer.result === "transmitted") return { result: "sent", gateway, window: answer.window };
      code = answer.code;
    } catch (error) {
      code = (error as { code?: string }).code ?? "link/failed";
    }
  }
  return { result: "failed", code };
}
