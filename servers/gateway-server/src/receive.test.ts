/** Datagrams from anyone: each has one counted outcome, and none throws. */
import { regions } from "@trefoil/lorawan";
import type { Reception } from "@trefoil/wire";
import fc from "fast-check";
import { Registry } from "prom-client";
import { beforeEach, describe, expect, test } from "vitest";
import { aliveMs } from "./gateways/gateway.ts";
import { GatewayTable } from "./gateways/gateway-table.ts";
import { type DatagramOutcome, type ReceivePorts, type ReceptionOutcome, receive } from "./receive.ts";
import { openTally } from "./tally.ts";

const eui = "0016c001ff10a235";
const home = { address: "192.0.2.1", port: 40_000 };
const frame = { tmst: 1, freq: 868.1, stat: 1, modu: "LORA", datr: "SF7BW125", codr: "4/5", rssi: -30, data: "AQID" };

let now: number;
let sent: { hex: string; to: string }[];
let uplinks: Reception[];
let changed: string[];
let warnings: string[];
let ports: ReceivePorts;
let room: boolean;
const use = (acceptUnknown: boolean) => {
  const registry = new Registry();
  const table = new GatewayTable(regions.EU868, acceptUnknown);
  table.register({ gatewayId: "roof", eui });
  const ignore = () => {};
  ports = {
    table,
    log: { debug: ignore, info: ignore, error: ignore, warn: (_, message) => void warnings.push(message) },
    datagrams: openTally<DatagramOutcome>(registry, "datagrams", "datagrams"),
    receptions: openTally<ReceptionOutcome>(registry, "receptions", "receptions"),
    send: (octets, host, port) => void sent.push({ hex: octets.toString("hex"), to: `${host}:${port}` }),
    uplink: (reception) => room && uplinks.push(reception) > 0,
    changed: (gateway) => void changed.push(`${gateway.row.eui} ${gateway.connected}`),
    nowMs: () => now,
  };
};
beforeEach(() => {
  now = 1_800_000_000_000;
  [sent, uplinks, changed, warnings, room] = [[], [], [], [], true];
  use(false);
});

const datagram = (type: number, body: unknown = undefined, from = eui) =>
  Buffer.concat([
    Buffer.from([2, 0, 7, type]),
    Buffer.from(from, "hex"),
    Buffer.from(body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body), "latin1"),
  ]);
const take = (octets: Buffer, source = home) => receive(ports, octets, source);

describe("malformed datagrams", () => {
  test.each<[string, Buffer, DatagramOutcome, typeof home?]>([
    ["empty", Buffer.alloc(0), "datagram/too-short"],
    ["from port 0", datagram(2), "datagram/source-port", { ...home, port: 0 }],
    ["of another protocol", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "datagram/version"],
    ["a server's type", datagram(4), "datagram/type"],
    ["too long", Buffer.concat([datagram(0), Buffer.alloc(40_000, 32)]), "datagram/too-long"],
    ["unknown EUI", datagram(0, { rxpk: [frame] }, "ffffffffffffffff"), "gateway/unknown"],
    ["PUSH_DATA without a body", datagram(0), "push-data/malformed"],
    ["PUSH_DATA with half a body", datagram(0, '{"rxpk":['), "push-data/malformed"],
    ["PUSH_DATA with neither rxpk nor stat", datagram(0, {}), "push-data/malformed"],
    ["PUSH_DATA whose rxpk is no array", datagram(0, { rxpk: { 0: frame } }), "push-data/malformed"],
    ["PUSH_DATA whose stat is no object", datagram(0, { stat: 5 }), "push-data/malformed"],
    ["TX_ACK that says nothing", datagram(5, "[]"), "tx-ack/malformed"],
    ["TX_ACK for nothing", datagram(5), "tx-ack/unexpected"],
  ])("%s", (_, octets, outcome, source = home) => {
    take(octets, source);
    expect(ports.datagrams.of(outcome)).toBe(1);
    expect(warnings).toHaveLength(1);
    expect(uplinks).toEqual([]);
  });

  test("any octets have exactly one outcome and throw nothing", () => {
    let taken = 0;
    const bodies = fc.oneof(
      fc.json(),
      fc.string(),
      fc.jsonValue().map((value) => JSON.stringify({ rxpk: [value], stat: value })),
    );
    const likely = fc.tuple(fc.constantFrom(0, 2, 5), bodies).map(([type, body]) => datagram(type, body));
    const anything = fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets));
    const total = () =>
      (
        [
          "push-data",
          "pull-data",
          "tx-ack",
          "datagram/too-short",
          "datagram/version",
          "datagram/type",
          "gateway/unknown",
          "push-data/malformed",
          "tx-ack/malformed",
          "tx-ack/unexpected",
        ] as const
      ).reduce((sum, outcome) => sum + ports.datagrams.of(outcome), 0);
    fc.assert(
      fc.property(fc.oneof(likely, anything), (octets) => {
        take(octets);
        expect(total()).toBe(++taken);
      }),
      { numRuns: 3_000 },
    );
  });
});

test("frames are judged one by one: a bad one does not hide its neighbours", () => {
  take(datagram(0, { rxpk: [{ ...frame, stat: -1 }, null, frame, { ...frame, datr: 7 }] }));
  expect(uplinks).toHaveLength(1);
  expect(ports.datagrams.of("push-data")).toBe(1);
  expect((["accepted", "rxpk/crc-bad", "rxpk/not-an-object", "rxpk/datr"] as const).map(ports.receptions.of)).toEqual([
    1, 1, 1, 1,
  ]);
});

test("more frames than a concentrator can hear are not taken", () => {
  take(datagram(0, { rxpk: Array.from({ length: 70 }, () => frame) }));
  expect([uplinks.length, ports.receptions.of("rxpk/too-many")]).toEqual([64, 6]);
});

test("a frame for which there is no room is counted as lost", () => {
  room = false;
  take(datagram(0, { rxpk: [frame] }));
  expect(ports.receptions.of("uplink/overflow")).toBe(1);
});

test("acknowledgements go where the datagram came from, also when its body is bad", () => {
  take(datagram(0, "{"));
  take(datagram(2), { ...home, port: 40_001 });
  expect(sent).toEqual([
    { hex: "02000701", to: "192.0.2.1:40000" },
    { hex: "02000704", to: "192.0.2.1:40001" },
  ]);
});

test("an EUI belongs to the address that speaks for it as long as that is heard", () => {
  const elsewhere = { address: "198.51.100.9", port: 1 };
  take(datagram(2));
  take(datagram(0, { stat: {} }));
  now += aliveMs - 1;
  take(datagram(0, { rxpk: [frame] }), elsewhere);
  take(datagram(2), elsewhere);
  expect(ports.datagrams.of("gateway/other-address")).toBe(2);
  expect(uplinks).toEqual([]);
  expect(sent).toHaveLength(2);
  expect(ports.table.get(eui)?.pull?.host).toBe(home.address);
  now += 1;
  take(datagram(2), elsewhere);
  expect(ports.table.get(eui)?.pull).toMatchObject({ host: elsewhere.address, port: 1 });
  take(datagram(2));
  expect(ports.datagrams.of("gateway/other-address")).toBe(3);
});

test("PUSH_DATA and PULL_DATA are bound apart: a gateway may show an address for each of its sockets", () => {
  const up = { address: "203.0.113.5", port: 5 };
  for (let i = 0; i < 20; i++) {
    take(datagram(2));
    take(datagram(0, { rxpk: [frame] }), up);
    take(datagram(5)); // From the socket of PULL_DATA.
    now += 10_000;
  }
  expect(
    (["push-data", "pull-data", "tx-ack/unexpected", "gateway/other-address"] as const).map(ports.datagrams.of),
  ).toEqual([20, 20, 20, 0]);
  take(datagram(5), up);
  take(datagram(2), up);
  take(datagram(0, { rxpk: [frame] }));
  expect(ports.datagrams.of("gateway/other-address")).toBe(3);
});

test("the old address of downlinks is kept bound by neither PUSH_DATA nor TX_ACK", () => {
  const moved = { address: "203.0.113.5", port: 5 };
  take(datagram(2));
  for (let i = 0; i < 6; i++) {
    now += aliveMs / 6;
    take(datagram(0, { rxpk: [frame] }));
    take(datagram(5));
  }
  take(datagram(2), moved);
  expect(ports.table.get(eui)?.pull?.host).toBe(moved.address);
});

test("a stranger is remembered while either of its directions is heard", () => {
  use(true);
  const other = "00000000000000aa";
  take(datagram(2, undefined, other));
  now += aliveMs - 1;
  take(datagram(0, { rxpk: [frame] }, other));
  now += aliveMs - 1;
  ports.table.sweep(now);
  expect(ports.table.get(other)).toBeDefined();
  ports.table.sweep(now + 1);
  expect(ports.table.get(other)).toBeUndefined();
});

test("several gateways may hide behind one address", () => {
  ports.table.register({ gatewayId: "cellar", eui: "00000000000000aa" });
  take(datagram(2));
  take(datagram(2, undefined, "00000000000000aa"), { ...home, port: 40_002 });
  expect([...ports.table.values()].map(({ pull }) => pull?.port)).toEqual([40_000, 40_002]);
});

test("a gateway is connected from its first PULL_DATA until it is silent for a minute", () => {
  take(datagram(0, { stat: { lati: 1, long: 2 } }));
  expect(changed).toEqual([`${eui} false`]);
  take(datagram(2));
  take(datagram(2));
  expect(changed).toEqual([`${eui} false`, `${eui} true`]);
  expect(ports.table.sweep(now + aliveMs - 1)).toEqual([]);
  expect(ports.table.sweep(now + aliveMs).map(({ connected }) => connected)).toEqual([false]);
});

test("strangers are bounded and forgotten", () => {
  use(true);
  for (let i = 0; i < 1_500; i++) take(datagram(2, undefined, i.toString(16).padStart(16, "0")));
  expect(ports.table.size).toBe(1_001);
  expect(ports.datagrams.of("gateway/unknown")).toBe(500);
  ports.table.sweep(now + aliveMs);
  expect(ports.table.size).toBe(1);
});
