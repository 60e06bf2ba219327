/** Datagrams of the Semtech UDP protocol, version 2, as a packet forwarder sends and reads them. Semtech PROTOCOL.TXT */
import { airtimeUs, isLora, type Rate, rateName } from "../radio/modulation.ts";

export const datagramType = { pushData: 0, pushAck: 1, pullData: 2, pullResp: 3, pullAck: 4, txAck: 5 } as const;

/** Version, token, type, gateway EUI, JSON. */
export function encodeDatagram(type: number, token: number, eui: Uint8Array, body?: unknown): Buffer {
  const head = Buffer.from([2, token >> 8, token & 255, type, ...eui]);
  return body === undefined ? head : Buffer.concat([head, Buffer.from(JSON.stringify(body))]);
}

/** What goes out when a server asks for it. */
export type TxPacket = {
  /** Absent: at once. */
  readonly tmst?: number;
  readonly hz: number;
  readonly rate: Rate;
  readonly powerDbm: number;
  readonly inverted: boolean;
  readonly octets: Uint8Array;
  readonly airtimeUs: number;
  /** GPS time was asked for: this gateway has none. */
  readonly needsGps: boolean;
};
export type FromServer =
  | { readonly is: "push-ack" | "pull-ack"; readonly token: number }
  | { readonly is: "pull-resp"; readonly token: number; readonly packet: TxPacket }
  | { readonly is: "malformed" };

const malformed: FromServer = { is: "malformed" };

/** Reads a datagram from the server; never throws. */
export function decodeDatagram(datagram: Uint8Array): FromServer {
  if (datagram.length < 4 || datagram[0] !== 2) return malformed;
  const token = ((datagram[1] ?? 0) << 8) | (datagram[2] ?? 0);
  if (datagram[3] === datagramType.pushAck) return { is: "push-ack", token };
  if (datagram[3] === datagramType.pullAck) return { is: "pull-ack", token };
  if (datagram[3] !== datagramType.pullResp) return malformed;
  const packet = readTxpk(Buffer.from(datagram.subarray(4)).toString("utf8"));
  return packet === undefined ? malformed : { is: "pull-resp", token, packet };
}

function readTxpk(text: string): TxPacket | undefined {
  let txpk: Record<string, unknown> | undefined;
  try {
    txpk = (JSON.parse(text) as { txpk?: Record<string, unknown> } | null)?.txpk;
  } catch {
    return undefined;
  }
  if (typeof txpk !== "object" || txpk === null) return undefined;
  const { imme, tmst, tmms, freq, powe, ipol, data, ncrc, size, prea } = txpk;
  const rate = readRate(txpk);
  if (rate === undefined || typeof freq !== "number" || typeof data !== "string") return undefined;
  const octets = Uint8Array.from(Buffer.from(data, "base64"));
  if (octets.length === 0 || octets.length > 255 || (typeof size === "number" && size !== octets.length))
    return undefined;
  const timed = imme !== true && typeof tmst === "number";
  if (imme !== true && !timed && typeof tmms !== "number") return undefined;
  return {
    hz: Math.round(freq * 1_000_000),
    rate,
    powerDbm: typeof powe === "number" ? powe : 14,
    inverted: ipol === true,
    octets,
    airtimeUs: airtimeUs(rate, octets.length, {
      crc: ncrc !== true,
      preamble: typeof prea === "number" ? Math.max(6, prea) : 8,
    }),
    needsGps: imme !== true && !timed,
    ...(timed ? { tmst: tmst >>> 0 } : {}),
  };
}

function readRate({ modu, datr }: Record<string, unknown>): Rate | undefined {
  if (modu === "FSK") return typeof datr === "number" && datr > 0 ? { bitrate: datr } : undefined;
  const match = typeof datr === "string" ? /^SF([5-9]|1[0-2])BW(125|250|500)$/.exec(datr) : null;
  return modu === "LORA" && match !== null ? { sf: Number(match[1]), bwHz: Number(match[2]) * 1000 } : undefined;
}

export type Reception = {
  readonly tmst: number;
  readonly channel: number;
  readonly hz: number;
  readonly rate: Rate;
  readonly rssi: number;
  readonly snr: number;
  readonly octets: Uint8Array;
};

/** One element of `rxpk`. Without GPS there is no `time`. */
export function encodeRxpk({ tmst, channel, hz, rate, rssi, snr, octets }: Reception): Record<string, unknown> {
  return {
    tmst,
    chan: channel,
    rfch: channel < 3 ? 1 : 0,
    freq: hz / 1_000_000,
    stat: 1,
    ...(isLora(rate)
      ? { modu: "LORA", datr: rateName(rate), codr: "4/5", lsnr: Math.round(snr * 4) / 4 }
      : { modu: "FSK", datr: rate.bitrate }),
    rssi: Math.round(rssi),
    size: octets.length,
    data: Buffer.from(octets).toString("base64"),
  };
}
