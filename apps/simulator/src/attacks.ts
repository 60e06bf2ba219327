/** Small attacks for tests: what anyone with a radio or a socket can do without a key. */
import type { Gateway } from "./gateway/gateway.ts";
import { datagramType, encodeDatagram } from "./gateway/semtech.ts";
import { fromHex } from "./octets.ts";
import type { Emission, Medium } from "./radio/medium.ts";

export type Capture = {
  /** Everything that devices sent, oldest first. */
  readonly uplinks: readonly Emission[];
  readonly joinRequests: readonly Emission[];
  readonly dataUplinks: readonly Emission[];
  stop(): void;
};

/** Records what is sent towards gateways. */
export function capture(medium: Medium): Capture {
  const uplinks: Emission[] = [];
  const stop = medium.tap((emission) => {
    if (!emission.inverted) uplinks.push(emission);
  });
  const ofType = (...types: readonly number[]) => uplinks.filter(({ octets }) => types.includes((octets[0] ?? 0) >> 5));
  return {
    uplinks,
    stop,
    get joinRequests() {
      return ofType(0);
    },
    get dataUplinks() {
      return ofType(2, 4);
    },
  };
}

/** Lets a gateway report a captured frame again, unchanged: a data frame or a join-request. */
export function replay(gateway: Gateway, { octets, hz, rate }: Emission): void {
  gateway.inject(octets, { hz, rate });
}

/** A copy with one bit turned over. Bit 0 is the lowest of the first octet. */
export function flipBit(octets: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(octets);
  const at = bit >> 3;
  if (at >= copy.length) throw new RangeError(`bit ${bit} is not in ${copy.length} octets`);
  copy[at] = (copy[at] as number) ^ (1 << (bit & 7));
  return copy;
}

/** A copy whose MIC is certainly wrong. */
export function withWrongMic(phyPayload: Uint8Array): Uint8Array {
  return phyPayload.map((octet, i) => (i >= phyPayload.length - 4 ? octet ^ 0xff : octet));
}

const rxpk = (changes: object) => ({
  rxpk: [
    {
      tmst: 1000,
      chan: 0,
      rfch: 0,
      freq: 868.1,
      stat: 1,
      modu: "LORA",
      datr: "SF7BW125",
      codr: "4/5",
      lsnr: 5,
      rssi: -60,
      size: 4,
      data: "QAECAw==",
      ...changes,
    },
  ],
});

/** Datagrams that no honest forwarder sends, each with a name for the test's report. */
export function malformedDatagrams(eui: string): readonly { readonly name: string; readonly datagram: Uint8Array }[] {
  const wireEui = fromHex(eui);
  const push = (body: unknown) => encodeDatagram(datagramType.pushData, 1, wireEui, body);
  const pushText = (text: string) =>
    Buffer.concat([encodeDatagram(datagramType.pushData, 1, wireEui), Buffer.from(text)]);
  const withOctets = (count: number) => push(rxpk({ size: count, data: Buffer.alloc(count, 0x40).toString("base64") }));
  return [
    { name: "empty", datagram: new Uint8Array(0) },
    { name: "one octet", datagram: Uint8Array.of(2) },
    { name: "no EUI", datagram: Uint8Array.of(2, 0, 1, 0) },
    { name: "unknown version", datagram: Uint8Array.of(9, 0, 1, 0, ...wireEui) },
    { name: "unknown type", datagram: encodeDatagram(77, 1, wireEui) },
    { name: "a server's type", datagram: encodeDatagram(datagramType.pullResp, 1, wireEui, { txpk: {} }) },
    { name: "no JSON", datagram: pushText("") },
    { name: "half JSON", datagram: pushText('{"rxpk":[{"tmst":1') },
    {
      name: "not UTF-8",
      datagram: Buffer.concat([encodeDatagram(datagramType.pushData, 1, wireEui), Buffer.from([0xff, 0xfe, 0x80])]),
    },
    { name: "JSON null", datagram: push(null) },
    { name: "JSON number", datagram: push(7) },
    { name: "deep JSON", datagram: pushText(`${"[".repeat(20_000)}${"]".repeat(20_000)}`) },
    { name: "rxpk is no list", datagram: push({ rxpk: {} }) },
    { name: "rxpk of nulls", datagram: push({ rxpk: [null, 1, "x", []] }) },
    { name: "tmst is text", datagram: push(rxpk({ tmst: "soon" })) },
    { name: "tmst is negative", datagram: push(rxpk({ tmst: -1 })) },
    { name: "tmst is huge", datagram: push(rxpk({ tmst: 2 ** 60 })) },
    { name: "frequency is absent", datagram: push(rxpk({ freq: undefined })) },
    { name: "frequency is out of range", datagram: push(rxpk({ freq: 1e308 })) },
    { name: "data rate is unknown", datagram: push(rxpk({ datr: "SF99BW1" })) },
    { name: "data is not base64", datagram: push(rxpk({ data: "§§§§" })) },
    { name: "data is absent", datagram: push(rxpk({ data: undefined })) },
    { name: "size differs", datagram: push(rxpk({ size: 200 })) },
    { name: "empty frame", datagram: withOctets(0) },
    { name: "frame too short", datagram: withOctets(5) },
    { name: "frame too long", datagram: withOctets(400) },
    { name: "CRC bad", datagram: push(rxpk({ stat: -1 })) },
    {
      name: "prototype names",
      datagram: pushText('{"__proto__":{"rxpk":[]},"constructor":{},"rxpk":[{"__proto__":1}]}'),
    },
  ];
}
