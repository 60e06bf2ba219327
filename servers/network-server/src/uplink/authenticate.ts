/**
 * Whose frame it is, and which 32-bit counter it has. Several devices may have one DevAddr (TS001-1.0.4 §6.1.1): the MIC tells them
 * apart. Nothing is changed here.
 */
import {
  type DataUp,
  dataRateIndex,
  exceedsMaxFCntGap,
  reconstructFCnt,
  rules,
  uplinkChannelIndex,
  verifyMic10,
  verifyMic11Up,
} from "@trefoil/lorawan";
import { noFCnt } from "../sessions/columns.ts";
import type { Sessions } from "../sessions/sessions.ts";

export type OnAir = { readonly hz: number; readonly dataRate: string | number; readonly codingRate?: string };

export type Authenticated =
  /** `repeated`: the counter is the one that was accepted last, so this is the same frame again. */
  | { readonly slot: number; readonly fCntUp: number; readonly repeated: boolean }
  | "uplink/mic"
  | "uplink/replay"
  | "uplink/counter-gap";

const wrap = 0x10000;

/** Tries all sessions in `slots`. A session whose counter has gone too far is told apart from a forged frame. */
export function authenticate(
  phyPayload: Uint8Array,
  frame: DataUp,
  onAir: OnAir,
  slots: readonly number[],
  sessions: Sessions,
): Authenticated {
  const { fCntUp } = sessions.table.columns;
  let refusal: "uplink/mic" | "uplink/replay" | "uplink/counter-gap" = "uplink/mic";
  for (const slot of slots) {
    const last = fCntUp[slot] as number;
    const fCnt = reconstructFCnt(Math.max(last, 0), frame.fCnt);
    if (fCnt !== undefined && hasMic(phyPayload, onAir, slot, fCnt, sessions)) {
      const { maxFCntGap } = rules(sessions.table.macVersion(slot));
      if (!exceedsMaxFCntGap(last === noFCnt ? undefined : last, fCnt, maxFCntGap))
        return { slot, fCntUp: fCnt, repeated: fCnt === last };
      refusal = "uplink/counter-gap";
    }
    // An authentic frame of the past: worth its own name among the outcomes, for whoever watches.
    const past = lastBefore(last, frame.fCnt);
    if (past >= 0 && hasMic(phyPayload, onAir, slot, past, sessions)) refusal = "uplink/replay";
  }
  return refusal;
}

/** The highest counter below `last` that ends in `fCnt16`; negative where there is none. */
function lastBefore(last: number, fCnt16: number): number {
  const low = last % wrap;
  return last === noFCnt ? -1 : last - low + fCnt16 - (fCnt16 < low ? 0 : wrap);
}

function hasMic(phyPayload: Uint8Array, onAir: OnAir, slot: number, fCnt: number, sessions: Sessions): boolean {
  const { table } = sessions;
  if (!rules(table.macVersion(slot)).separateNetworkKeys)
    return verifyMic10(sessions.schedule(slot, "FNwkSIntKey"), "up", fCnt, phyPayload);
  const region = sessions.region(slot);
  // The device's own channel index, never the gateway's (LoRaWAN 1.1 §4.4).
  const txCh = uplinkChannelIndex(region, onAir.hz, sessions.channels(slot));
  const txDr = dataRateIndex(region, "up", onAir.dataRate, onAir.codingRate);
  if (txCh === undefined || txDr === undefined) return false;
  const { confFCntDown, acceptedConfFCnt, fCntUp } = table.columns;
  const verify = (confFCnt: number) =>
    verifyMic11Up(
      sessions.schedule(slot, "SNwkSIntKey"),
      sessions.schedule(slot, "FNwkSIntKey"),
      fCnt,
      { confFCnt, txDr, txCh },
      phyPayload,
    );
  const now = confFCntDown[slot] as number;
  if (verify(now)) return true;
  // A repetition was made before the answer to its first copy: its ACK is for the confirmed downlink before that.
  const then = acceptedConfFCnt[slot] as number;
  return fCnt === fCntUp[slot] && then !== now && verify(then);
}
