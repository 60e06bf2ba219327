/**
 * network-server ⇄ application-server. The network-server connects; either side asks.
 *
 * network-server asks:      `events`             Events → {}     from its durable outbox, in order; answered after the application-server's own commit
 * application-server asks:  `downlink.reserve`   Reserve → Reserved
 *                           `downlink.offer`     Offer → Offered
 *                           `downlink.withdraw`  Withdraw → Withdrawn
 *
 * Downlink counters (DESIGN §4). The network-server alone gives out FCntDown, the application-server alone encrypts.
 * Per device at most one reservation is open: the head of the application-server's durable queue.
 *   1. `downlink.reserve`: the network-server commits the counter, then answers it.
 *   2. The application-server encrypts with it and offers the ciphertext; the network-server commits it, then answers.
 *   3. At the device's next receive windows the frame goes out: event `downlink.sent`. Or it cannot (session changed, counter overtaken
 *      in 1.0.x by a network frame, payload too long for the data rate): event `downlink.invalidated`, and the
 *      application-server starts again at 1 with the same plaintext and a new counter, or reports `failed` where retrying is vain.
 * A counter whose ciphertext was offered is never given out again. After a crash between 1 and 2 the application-server
 * asks again and gets a fresh counter; the lost one is skipped.
 */
import type { DataRateName, LinkTrust } from "./gateway-link.ts";

/** TS002 KeyEnvelope; `kekLabel` is never absent (docs/authority.md). `aesKey` is hex of the RFC 3394 wrapped key. */
export type KeyEnvelope = { readonly kekLabel: string; readonly aesKey: string };

export type RxMetadata = {
  readonly gateway: string;
  readonly gatewayId: string;
  readonly rssi: number;
  readonly snr?: number;
  readonly channel?: number;
  readonly antenna?: number;
  readonly concentratorTime: string;
  readonly gpsTimeMs?: number;
  readonly receivedAt: number;
  readonly trust: LinkTrust;
  readonly location?: { readonly latitude: number; readonly longitude: number; readonly altitude?: number };
};

type Common = {
  /** Stable: the same event has the same id however often it is delivered. */
  readonly id: string;
  readonly devEui: string;
  readonly devAddr: string;
  readonly sessionKeyId: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
};
export type NetworkEvent =
  /** Without `appSKey` the application server asks the join server for it, by `sessionKeyId` (TS002 AppSKeyReq). */
  | (Common & { readonly is: "join"; readonly joinEui: string; readonly appSKey?: KeyEnvelope })
  | (Common & {
      readonly is: "uplink";
      readonly fCntUp: number;
      /** Absent when the frame carried none. FPort 0 never leaves the network-server. */
      readonly fPort?: number;
      /** base64, as on the air: encrypted with the AppSKey. */
      readonly frmPayload: string;
      readonly confirmed: boolean;
      readonly hz: number;
      readonly dataRate: DataRateName;
      readonly codingRate?: string;
      readonly airtimeMs: number;
      readonly rxMetadata: readonly RxMetadata[];
    })
  | (Common & {
      readonly is: "downlink.sent";
      readonly queueId: string;
      readonly fCntDown: number;
      readonly gatewayId: string;
    })
  | (Common & {
      readonly is: "downlink.acknowledged" | "downlink.not-acknowledged";
      readonly queueId: string;
      readonly fCntDown: number;
    })
  | (Common & {
      readonly is: "downlink.invalidated";
      readonly queueId: string;
      readonly fCntDown: number;
      readonly reason: string;
    })
  | (Common & {
      readonly is: "downlink.failed";
      readonly queueId: string;
      readonly fCntDown: number;
      readonly reason: string;
    });

/** `sequence` rises by one per batch; a batch that was not answered comes again unchanged, and is to be taken only once. */
export type Events = { readonly sequence: number; readonly events: readonly NetworkEvent[] };

export type Reserve = {
  readonly devEui: string;
  readonly queueId: string;
  readonly fPort: number;
  readonly size: number;
  readonly confirmed: boolean;
};
export type Reserved =
  | { readonly result: "reserved"; readonly sessionKeyId: string; readonly devAddr: string; readonly fCntDown: number }
  /** downlink/no-session, downlink/unknown-device, downlink/busy (another reservation is open), downlink/too-long (for every data rate) */
  | { readonly result: "refused"; readonly code: string };

export type Offer = Reserve & {
  readonly sessionKeyId: string;
  readonly fCntDown: number;
  /** base64, encrypted. Its length is `size`. */
  readonly frmPayload: string;
  /** More is waiting behind this one: sets FPending. */
  readonly more: boolean;
};
export type Offered = { readonly result: "accepted" } | { readonly result: "refused"; readonly code: string };

export type Withdraw = { readonly devEui: string; readonly queueIds: readonly string[] };
/** Those that had not been transmitted and never will be. Their counters stay used. */
export type Withdrawn = { readonly queueIds: readonly string[] };
