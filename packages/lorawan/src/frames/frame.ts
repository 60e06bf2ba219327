/** PHYPayloads as values. Octets are as on the air; FRMPayload and (1.1) FOpts are still encrypted. */
import type { DevAddr, DevEui, JoinEui, NetId } from "../octets/identifiers.ts";

export type JoinRequest = {
  readonly type: "JoinRequest";
  readonly joinEui: JoinEui;
  readonly devEui: DevEui;
  readonly devNonce: number;
  readonly mic: Uint8Array;
};

/** Still encrypted, 16 or 32 octets. See join-accept.ts for its clear form. */
export type JoinAccept = { readonly type: "JoinAccept"; readonly encrypted: Uint8Array };

export type RejoinRequest =
  | {
      readonly type: "RejoinRequest";
      readonly rejoinType: 0 | 2;
      readonly netId: NetId;
      readonly devEui: DevEui;
      readonly rjCount: number;
      readonly mic: Uint8Array;
    }
  | {
      readonly type: "RejoinRequest";
      readonly rejoinType: 1;
      readonly joinEui: JoinEui;
      readonly devEui: DevEui;
      readonly rjCount: number;
      readonly mic: Uint8Array;
    };

type Data = {
  readonly devAddr: DevAddr;
  readonly adr: boolean;
  readonly ack: boolean;
  /** The 16 low bits. */
  readonly fCnt: number;
  readonly fOpts: Uint8Array;
  /** Undefined where the frame has none; then FRMPayload is empty. */
  readonly fPort: number | undefined;
  readonly frmPayload: Uint8Array;
  readonly mic: Uint8Array;
};
export type DataUp = Data & {
  readonly type: "UnconfirmedDataUp" | "ConfirmedDataUp";
  readonly adrAckReq: boolean;
  readonly classB: boolean;
};
/** `rfu` is bit 6 of FCtrl: a receiver ignores it, and so do we, but the MIC covers it. */
export type DataDown = Data & {
  readonly type: "UnconfirmedDataDown" | "ConfirmedDataDown";
  readonly rfu: boolean;
  readonly fPending: boolean;
};

export type Proprietary = { readonly type: "Proprietary"; readonly payload: Uint8Array };

export type Frame = JoinRequest | JoinAccept | RejoinRequest | DataUp | DataDown | Proprietary;

export const isDataUp = (frame: Frame): frame is DataUp =>
  frame.type === "UnconfirmedDataUp" || frame.type === "ConfirmedDataUp";
export const isDataDown = (frame: Frame): frame is DataDown =>
  frame.type === "UnconfirmedDataDown" || frame.type === "ConfirmedDataDown";
export const isConfirmed = (frame: DataUp | DataDown): boolean =>
  frame.type === "ConfirmedDataUp" || frame.type === "ConfirmedDataDown";
