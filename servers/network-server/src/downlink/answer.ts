/**
 * What is said to a device in the receive windows after its uplink (TS001-1.0.4 §4.3.1). Pure: who calls it reserves the counter
 * durably, and only then anything is encrypted or sent.
 */

/** Octets of a MACPayload beside FOpts and FRMPayload: DevAddr 4, FCtrl 1, FCnt 2; and FPort where there is a payload. */
const fhdrOctets = 7;
const fPortOctets = 1;

export type AnswerInput = {
  /** 1.1: network and application frames count apart (TS001-1.1 §4.3.1.5). */
  readonly hasTwoCounters: boolean;
  readonly nFCntDown: number;
  readonly uplink: { readonly confirmed: boolean; readonly adrAckReq: boolean };
  /** Length of the encoded MAC answers; they go into FOpts. */
  readonly fOpts: number;
  /** The application downlink that is ready, if there is one. */
  readonly offer?: { readonly fCntDown: number; readonly size: number; readonly more: boolean };
  /** A counter that the application-server holds, without having offered a payload for it yet. */
  readonly reserved?: { readonly fCntDown: number };
  /** M of each window, RX1 first. */
  readonly most: readonly number[];
};

export type Answer = {
  /** "offer": the application's frame with its own counter; "network": one without FPort, with the next NFCntDown. */
  readonly frame: "offer" | "network" | "none";
  readonly ack: boolean;
  readonly fPending: boolean;
  /** Indices of the windows that can carry the frame. */
  readonly windows: readonly number[];
  /** Why the application's frame can never be sent with the counter that it was encrypted for. */
  readonly invalidate?: "counter-overtaken" | "too-long-for-data-rate";
  /** The counter that the application-server holds has become useless: its offer will be refused. */
  readonly forgetReservation: boolean;
};

/** Octets of MACPayload. */
const lengthOf = (fOpts: number, size: number | undefined) =>
  fhdrOctets + fOpts + (size === undefined ? 0 : fPortOctets + size);

export function decideAnswer(input: AnswerInput): Answer {
  const { hasTwoCounters, uplink, fOpts, offer, most } = input;
  const fitting = (size: number | undefined) => {
    const length = lengthOf(fOpts, size);
    return most.flatMap((m, i) => (length <= m ? [i] : []));
  };
  const ack = uplink.confirmed;
  const mustAnswer = ack || uplink.adrAckReq || fOpts > 0;

  // In 1.0.x the counter is shared: a network frame that was sent since has overtaken the application's.
  const overtaken = offer !== undefined && !hasTwoCounters && offer.fCntDown !== input.nFCntDown - 1;
  const offerWindows = offer && !overtaken ? fitting(offer.size) : [];
  if (offer && offerWindows.length > 0)
    return { frame: "offer", ack, fPending: offer.more, windows: offerWindows, forgetReservation: false };

  const networkWindows = mustAnswer ? fitting(undefined) : [];
  const frame = networkWindows.length > 0 ? "network" : "none";
  const willOvertake = frame === "network" && !hasTwoCounters;
  return {
    frame,
    ack,
    // What waits is told to the device, so that it may ask again soon (TS001-1.0.4 §4.3.1.4). For what is too long it would ask in vain.
    fPending: overtaken || input.reserved !== undefined,
    windows: networkWindows,
    ...(offer && invalidation(overtaken)),
    forgetReservation: input.reserved !== undefined && willOvertake,
  };
}

const invalidation = (overtaken: boolean) =>
  ({ invalidate: overtaken ? "counter-overtaken" : "too-long-for-data-rate" }) as const;
