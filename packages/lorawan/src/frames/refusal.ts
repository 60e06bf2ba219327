/** Why octets are no frame. Slugs are stable: they are counted and searched for. */
export const frameRefusals = {
  "frame/empty": "There are no octets.",
  "frame/too-long": "A PHYPayload has at most 255 octets.",
  "mhdr/major": "The major version is not LoRaWAN R1 (TS001-1.0.4 §4.2.2).",
  "mhdr/rfu": "Reserved bits of MHDR are set (TS001-1.0.4 §4.2).",
  "join-request/length": "A join-request has 23 octets (TS001-1.0.4 §6.2.5).",
  "join-accept/length": "A join-accept has 17 or 33 octets (TS001-1.0.4 §6.2.6).",
  "join-accept/rfu": "Reserved bits of a decrypted join-accept are set, as they are when the key is another.",
  "join-accept/cflist-type": "The CFListType is neither 0 nor 1.",
  "rejoin-request/type": "The rejoin type is none of 0, 1, 2 (LoRaWAN 1.1 §6.2.4).",
  "rejoin-request/length": "A rejoin-request has 19 octets (types 0, 2) or 24 (type 1).",
  "data/length": "A data frame has at least 12 octets (TS001-1.0.4 §4.3).",
  "data/fopts-length": "FOptsLen points beyond the end of the frame (TS001-1.0.4 §4.3.1.6).",
  "data/fopts-with-fport-0": "FOpts and FPort 0 exclude each other (TS001-1.0.4 §5).",
} as const;
export type FrameRefusal = keyof typeof frameRefusals;
export type Refused = { readonly reason: FrameRefusal };

const refusals = new Map(Object.keys(frameRefusals).map((reason) => [reason, { reason } as Refused]));
/** One shared value per reason: refusing costs nothing. */
export const refuse = (reason: FrameRefusal): Refused => refusals.get(reason) ?? { reason };

export const isRefused = (value: object): value is Refused => "reason" in value;
