/** What a device tells those who watch it. Times are the world's microseconds. */
import type { RejoinType } from "../frames.ts";
import type { RefusedAccept } from "./join.ts";
import type { MacFact } from "./mac-answers.ts";
import type { RefusedDownlink } from "./session.ts";
import type { WindowName } from "./settings.ts";

export type Sent = { readonly hz: number; readonly dr: number; readonly airtimeUs: number; readonly size: number };
export type DeviceFact =
  | (Sent & { readonly is: "join-request"; readonly devNonce: number; readonly tryNumber: number })
  | (Sent & {
      readonly is: "rejoin-request";
      readonly type: RejoinType;
      readonly rjCount: number;
      readonly tryNumber: number;
    })
  | {
      readonly is: "joined";
      /** What was answered: a join-request, or a rejoin-request of this type. */
      readonly by: "join" | RejoinType;
      readonly window: WindowName;
      readonly devAddr: string;
      readonly joinNonce: number;
      readonly protocol: "1.0" | "1.1";
    }
  | { readonly is: "join-failed"; readonly tries: number }
  /** No join-accept was heard: the session stays. Many networks answer few rejoin-requests. */
  | { readonly is: "rejoin-unanswered"; readonly type: RejoinType; readonly tries: number }
  | (Sent & {
      readonly is: "uplink";
      readonly fCntUp: number;
      readonly fPort?: number;
      readonly confirmed: boolean;
      readonly tryNumber: number;
      readonly acknowledges?: number;
    })
  | {
      readonly is: "downlink";
      readonly window: WindowName;
      readonly fCntDown: number;
      readonly confirmed: boolean;
      readonly ack: boolean;
      readonly fPending: boolean;
      readonly commands: readonly string[];
      readonly data?: { readonly fPort: number; readonly payload: Uint8Array };
      readonly rssi: number;
      readonly snr: number;
    }
  | { readonly is: "acknowledged"; readonly fCntUp: number; readonly tries: number }
  /** A confirmed uplink whose last try brought no ACK. */
  | { readonly is: "lost"; readonly fCntUp: number; readonly tries: number }
  | { readonly is: "refused"; readonly window: WindowName; readonly reason: RefusedDownlink | RefusedAccept }
  | MacFact;
export type DeviceEvent = DeviceFact & { readonly devEui: string; readonly at: number };
