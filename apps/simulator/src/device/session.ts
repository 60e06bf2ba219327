/** A session of a device: its keys, its counters, and the frames that it makes and accepts. Pure but for the crypto. */
import { cryptFOpts, cryptFrmPayload, down, mic10, micDown11, micUp11, up } from "../crypto/data-frames.ts";
import type { SessionKeys } from "../crypto/session-keys.ts";
import { type DataFrame, decodeDataFrame, encodeDataFrame } from "../frames.ts";
import { concat, equal } from "../octets.ts";

export type Session = {
  /** The protocol of this session: a 1.1 device that joined a 1.0.x network speaks 1.0. */
  readonly protocol: "1.0" | "1.1";
  readonly devAddr: string;
  /** Of the network that it joined; personalised devices need none. */
  readonly netId?: string;
  readonly keys: SessionKeys;
  /** The next RJcount0: it begins anew with each join-accept. TS001-1.1 §6.2.4.1 */
  readonly rjCount0: number;
  /** The next to be used. */
  readonly fCntUp: number;
  /** The last that was accepted, -1 before the first. In 1.0.x `nFCntDown` counts all downlinks. */
  readonly nFCntDown: number;
  readonly aFCntDown: number;
  /** Counter of a confirmed downlink that waits for its ACK. */
  readonly toAcknowledge?: number;
};

export type Uplink = {
  readonly fCnt: number;
  readonly confirmed: boolean;
  readonly fPort?: number;
  readonly payload: Uint8Array;
  readonly fOpts: Uint8Array;
  readonly adr: boolean;
  readonly adrAckReq: boolean;
  /** The confirmed downlink that this frame acknowledges. */
  readonly acknowledges?: number;
};

/** The PHYPayload of an uplink. TxDr and TxCh enter the MIC of 1.1, so each transmission is encoded anew. */
export function encodeUplink(
  { protocol, devAddr, keys }: Session,
  uplink: Uplink,
  radio: { txDr: number; txCh: number },
): Uint8Array {
  const place = { devAddr, fCnt: uplink.fCnt, direction: up };
  const isSplit = protocol === "1.1";
  const { fPort } = uplink;
  const message = encodeDataFrame(
    {
      confirmed: uplink.confirmed,
      devAddr,
      adr: uplink.adr,
      adrAckReq: uplink.adrAckReq,
      ack: uplink.acknowledges !== undefined,
      bit4: false,
      fCnt: uplink.fCnt % 65536,
      fOpts: isSplit ? cryptFOpts(keys.nwkSEncKey, place, 1, uplink.fOpts) : uplink.fOpts,
      frmPayload: cryptFrmPayload(fPort === 0 ? keys.nwkSEncKey : keys.appSKey, place, uplink.payload),
      ...(fPort === undefined ? {} : { fPort }),
    },
    "up",
  );
  const mic = isSplit
    ? micUp11(keys, place, message, { ...radio, confFCnt: uplink.acknowledges ?? 0 })
    : mic10(keys.fNwkSIntKey, place, message);
  return concat(message, mic);
}

export type Downlink = {
  readonly fCnt: number;
  readonly confirmed: boolean;
  readonly ack: boolean;
  readonly fPending: boolean;
  /** MAC commands, from FOpts or from FPort 0. */
  readonly commands: Uint8Array;
  /** Application data, when FPort is above 0. */
  readonly data?: { readonly fPort: number; readonly payload: Uint8Array };
};
export type RefusedDownlink =
  | "malformed"
  | "not-for-this-direction"
  | "wrong-dev-addr"
  | "replayed"
  | "wrong-mic"
  | "counter-gap";
export type Received =
  | { readonly accepted: Downlink; readonly session: Session }
  | { readonly refused: RefusedDownlink };

/** The least 32-bit counter above `last` with these low bits. TS001-1.0.4 §4.3.1.5 */
const fullCounter = (last: number, low: number): number => {
  const candidate = Math.floor(Math.max(0, last) / 65536) * 65536 + low;
  return candidate > last ? candidate : candidate + 65536;
};

/**
 * Takes a frame from a receive window. `lastConfirmedUp` is the counter of the confirmed uplink that waits for its ACK:
 * in 1.1 the MIC of an acknowledging frame covers it.
 */
export function receiveDownlink(
  session: Session,
  phyPayload: Uint8Array,
  { lastConfirmedUp, maxFCntGap }: { lastConfirmedUp: number | undefined; maxFCntGap: number },
): Received {
  const decoded = decodeDataFrame(phyPayload, "down");
  if ("refused" in decoded) return decoded;
  const { frame, message, mic } = decoded;
  if (frame.devAddr !== session.devAddr) return { refused: "wrong-dev-addr" };
  const isApplication = frame.fPort !== undefined && frame.fPort > 0;
  const counter = session.protocol === "1.1" && isApplication ? "aFCntDown" : "nFCntDown";
  const last = session[counter];
  const isAuthentic = (fCnt: number) =>
    fCnt >= 0 && equal(mic, downMic(session, frame, fCnt, message, lastConfirmedUp));
  const fCnt = fullCounter(last, frame.fCnt);
  if (!isAuthentic(fCnt)) return { refused: isAuthentic(fCnt - 65536) ? "replayed" : "wrong-mic" };
  if (fCnt > 0xffffffff || (last >= 0 && fCnt - last > maxFCntGap)) return { refused: "counter-gap" };
  return {
    accepted: open(session, frame, fCnt, counter),
    session: acknowledging({ ...session, [counter]: fCnt }, frame.confirmed, fCnt),
  };
}

/** After an uplink that acknowledged `fCnt`: nothing waits, unless a newer confirmed downlink came meanwhile. */
export function withoutAcknowledgement(session: Session, fCnt: number): Session {
  if (session.toAcknowledge !== fCnt) return session;
  const { toAcknowledge: _, ...rest } = session;
  return rest;
}

function acknowledging({ toAcknowledge, ...session }: Session, confirmed: boolean, fCnt: number): Session {
  const waits = confirmed ? fCnt : toAcknowledge;
  return waits === undefined ? session : { ...session, toAcknowledge: waits };
}

function downMic(
  { protocol, devAddr, keys }: Session,
  frame: DataFrame,
  fCnt: number,
  message: Uint8Array,
  lastConfirmedUp = 0,
): Uint8Array {
  const place = { devAddr, fCnt, direction: down };
  if (protocol === "1.0") return mic10(keys.fNwkSIntKey, place, message);
  return micDown11(keys.sNwkSIntKey, place, message, frame.ack ? lastConfirmedUp : 0);
}

function open(
  { protocol, devAddr, keys }: Session,
  frame: DataFrame,
  fCnt: number,
  counter: "aFCntDown" | "nFCntDown",
): Downlink {
  const place = { devAddr, fCnt, direction: down };
  const { fPort } = frame;
  const fOpts =
    protocol === "1.1" ? cryptFOpts(keys.nwkSEncKey, place, counter === "aFCntDown" ? 2 : 1, frame.fOpts) : frame.fOpts;
  const payload = cryptFrmPayload(fPort === 0 ? keys.nwkSEncKey : keys.appSKey, place, frame.frmPayload);
  return {
    fCnt,
    confirmed: frame.confirmed,
    ack: frame.ack,
    fPending: frame.bit4,
    commands: fPort === 0 ? payload : fOpts,
    ...(fPort !== undefined && fPort > 0 ? { data: { fPort, payload } } : {}),
  };
}
