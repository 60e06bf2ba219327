import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { envelopesIn } from "./envelopes.ts";
import { Records } from "./records.ts";
import { sessionsIn } from "./sessions.ts";
import { type RecordKind, recordKind, type Stream } from "./tap/format.ts";

const folder = mkdtempSync(join(tmpdir(), "records-"));
afterAll(() => rmSync(folder, { recursive: true }));

const record = (kind: RecordKind, stream: number, content: string | Buffer) => {
  const head = Buffer.alloc(9);
  head.writeUInt32LE(Buffer.byteLength(content), 0);
  head.writeUInt8(kind, 4);
  head.writeUInt32LE(stream, 5);
  return Buffer.concat([head, Buffer.from(content as string)]);
};
const stream = (id: number, is: Stream) => record(recordKind.stream, id, JSON.stringify(is));
const pipeFrame = (value: unknown) => {
  const json = Buffer.from(JSON.stringify(value));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(json.length);
  return Buffer.concat([head, json]);
};

const joinRequest = `${"00".repeat(17)}3412aabbccdd`;
const asked = [
  { id: 1, method: "info", body: {} },
  { id: 2, method: "join", body: { devEui: "70b3d57ed0061000", joinNonce: 7, dlSettings: 0, joinRequest } },
  {
    id: 3,
    method: "rejoin",
    body: {
      devEui: "70b3d57ed0061001",
      joinNonce: 8,
      dlSettings: 0x80,
      rejoinRequest: `${"c0".repeat(12)}0500aabbccdd`,
    },
  },
];
const frames = Buffer.concat(asked.map(pipeFrame));
const answer =
  '{"FNwkSIntKey":{"KEKLabel":"ns/000013","AESKey":"' +
  "ab".repeat(24) +
  '"},"SNwkSIntKey":{"AESKey":"' +
  "cd".repeat(24) +
  '","KEKLabel":"ns/000013"}}';
writeFileSync(
  join(folder, "join-server-1.tap"),
  Buffer.concat([
    stream(1, { is: "socket", encrypted: false }),
    record(recordKind.out, 1, frames.subarray(0, 33)),
    record(recordKind.out, 1, frames.subarray(33)),
    stream(2, { is: "socket", local: 8886, remote: 50_000, encrypted: true }),
    record(recordKind.out, 2, answer),
    record(recordKind.mark, 0, JSON.stringify({ mark: "somewhere", n: 1 })),
  ]),
);
writeFileSync(
  join(folder, "network-server-2.tap"),
  Buffer.concat([
    stream(1, { is: "socket", local: 50_000, remote: 8886, encrypted: true }),
    record(recordKind.in, 1, answer),
  ]),
);
writeFileSync(
  join(folder, "supervisor-3.tap"),
  Buffer.concat([stream(1, { is: "log", of: "gateway-server" }), record(recordKind.in, 1, "a line\n")]),
);
const records = new Records(folder);
afterAll(() => records.close());

test("who stands at a mark is told once, with the message at which it does", () => {
  expect(records.arrivals()).toMatchObject([
    { process: "join-server-1", holder: "join-server", mark: "somewhere", n: 1, message: Buffer.from(answer) },
  ]);
  expect(records.arrivals()).toEqual([]);
});

test("messages are joined stream by stream and named by their partner; a server's output is its own, whoever read it", () => {
  const seen = records.pieces().filter(({ octets }) => octets.length > 0);
  expect(seen.map(({ holder, place, where }) => `${holder} ${place} ${where}`)).toEqual([
    "join-server messages to vault or command line",
    "join-server messages to network-server",
    "network-server messages from join-server",
    "gateway-server log its output",
  ]);
  expect(Buffer.from(seen[0]?.octets ?? [])).toEqual(frames);
});

test("sessions are known from what the vault is asked, by join-request and by rejoin-request (RJcount for DevNonce, LoRaWAN 1.1 §6.2.4)", () => {
  expect(sessionsIn(records)).toEqual([
    { devEui: "70b3d57ed0061000", nonce: 0x1234, joinNonce: 7, protocol: "1.0", by: "join" },
    { devEui: "70b3d57ed0061001", nonce: 5, joinNonce: 8, protocol: "1.1", by: "rejoin" },
  ]);
});

test("key envelopes are known with the KEK that opens each, whichever member comes first (TS002 KeyEnvelope)", () => {
  expect(envelopesIn(records).map(({ octets, openedBy }) => [octets[0], octets.length, openedBy])).toEqual([
    [0xab, 24, "KEK ns/000013"],
    [0xcd, 24, "KEK ns/000013"],
  ]);
});
