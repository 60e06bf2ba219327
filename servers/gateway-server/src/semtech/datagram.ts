/**
 * The Semtech UDP protocol's outer form: version ‖ token (2) ‖ type ‖ EUI (8) ‖ JSON. Semtech PROTOCOL.TXT §3 to §6.
 * Anyone on the network can send these: nothing here throws, and each refusal has a reason that is counted.
 */
export const datagramType = { pushData: 0, pushAck: 1, pullData: 2, pullResp: 3, pullAck: 4, txAck: 5 } as const;

/** A forwarder with eight channels and long frames sends 5 KiB at most; with several antennas three times as much. */
export const mostOctets = 32 * 1024;
const headerOctets = 12;

export type GatewayDatagram = {
  readonly is: "push-data" | "pull-data" | "tx-ack";
  /** 1 or 2. Version 1 knows no TX_ACK. */
  readonly version: number;
  readonly token: number;
  /** 16 lower-case hex digits. */
  readonly eui: string;
};
export type DatagramRefusal =
  | "datagram/too-short"
  | "datagram/too-long"
  | "datagram/version"
  | "datagram/type"
  | "datagram/source-port";
export type Decoded = GatewayDatagram | { readonly is: "refused"; readonly reason: DatagramRefusal };

const refused = (reason: DatagramRefusal) => ({ is: "refused", reason }) as const;
const tooShort = refused("datagram/too-short");
const tooLong = refused("datagram/too-long");
const wrongVersion = refused("datagram/version");
const wrongType = refused("datagram/type");

/** The header. The JSON behind it is left alone until the gateway is known. */
export function decodeDatagram(octets: Buffer): Decoded {
  if (octets.length < headerOctets) return tooShort;
  if (octets.length > mostOctets) return tooLong;
  const version = octets[0] as number;
  if (version !== 2 && version !== 1) return wrongVersion;
  const is = kindOf(octets[3]);
  if (is === undefined) return wrongType;
  return { is, version, token: octets.readUInt16BE(1), eui: euiOf(octets) };
}

/** 16 lower-case hex digits; the caller has checked the length. */
export const euiOf = (octets: Buffer): string => octets.toString("hex", 4, headerOctets);

function kindOf(type: number | undefined): GatewayDatagram["is"] | undefined {
  if (type === datagramType.pushData) return "push-data";
  if (type === datagramType.pullData) return "pull-data";
  return type === datagramType.txAck ? "tx-ack" : undefined;
}

/** The JSON object of a datagram; `undefined` when it is none. `empty` where nothing follows the header. */
export function readJson(octets: Buffer): Record<string, unknown> | "empty" | undefined {
  let end = octets.length;
  while (end > headerOctets && octets[end - 1] === 0) end--; // Some forwarders send the C string's end.
  if (end === headerOctets) return "empty";
  try {
    const value: unknown = JSON.parse(octets.toString("utf8", headerOctets, end));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** PUSH_ACK or PULL_ACK: the version and token that came. */
export function encodeAck(datagram: GatewayDatagram): Buffer {
  const octets = Buffer.allocUnsafe(4);
  octets[0] = datagram.version;
  octets.writeUInt16BE(datagram.token, 1);
  octets[3] = datagram.is === "push-data" ? datagramType.pushAck : datagramType.pullAck;
  return octets;
}
