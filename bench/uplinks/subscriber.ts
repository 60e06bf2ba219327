/**
 * The application of `npm run bench -- uplinks`: an ordinary MQTT client in a process of its own that counts what arrives.
 * Which uplink it was stands in its decrypted payload (sequence number, u32be); when its datagram left the generator stands in
 * `timestamp` (Unix time in microseconds modulo 2^32). It reads just these two from the JSON: it shall not be what is measured.
 *
 * Started with fork(). Messages: in `{ start: SubscriberStart }`, `{ report: { from } }`; out `{ ready: true }`, `{ arrived: Arrived }`.
 */
import mqtt from "mqtt";
import { Latencies } from "./latencies.ts";

export type SubscriberStart = {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly topic: string;
  readonly qos: 0 | 1;
};
export type Arrived = {
  readonly unique: number;
  readonly duplicates: number;
  /** Messages that were not one of the generator's uplinks. */
  readonly strange: number;
  /** Of what arrived since the last report that asked for a fresh start. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly p999: number };
};

const payloadMark = '"frm_payload":"';
const timestampMark = '"timestamp":';
const payloadPlaces = 24;

let seen = new Uint8Array(1 << 20);
let unique = 0;
let duplicates = 0;
let strange = 0;
let latencies = new Latencies();

/** The sequence number was there before: a duplicate. */
function mark(sequence: number): boolean {
  if (sequence >= seen.length) {
    const larger = new Uint8Array(Math.max(seen.length * 2, sequence + 1));
    larger.set(seen);
    seen = larger;
  }
  const before = seen[sequence] === 1;
  seen[sequence] = 1;
  return before;
}

function onMessage(payload: Buffer, nowMicros: number): void {
  const text = payload.toString("latin1");
  const at = text.indexOf(payloadMark) + payloadMark.length;
  const stampAt = text.indexOf(timestampMark) + timestampMark.length;
  if (at < payloadMark.length || stampAt < timestampMark.length) {
    strange++;
    return;
  }
  const octets = Buffer.from(text.slice(at, at + payloadPlaces), "base64");
  if (octets.length < 17 || octets.toString("latin1", 12, 17) !== "trefo") {
    strange++;
    return;
  }
  if (mark(octets.readUInt32BE(0))) duplicates++;
  else unique++;
  const left = Number.parseInt(text.slice(stampAt, stampAt + 10), 10);
  latencies.add((((nowMicros - left) % 2 ** 32) + 2 ** 32) % 2 ** 32);
}

async function start({ url, username, password, topic, qos }: SubscriberStart): Promise<void> {
  const client = await mqtt.connectAsync(url, {
    username,
    password,
    clientId: "trefoil-bench",
    clean: false,
    reconnectPeriod: 200,
  });
  client.on("message", (_, payload) => onMessage(payload, (performance.timeOrigin + performance.now()) * 1000));
  await client.subscribeAsync(topic, { qos });
  process.send?.({ ready: true });
}

process.on("message", (message: { start?: SubscriberStart; report?: { fresh: boolean } }) => {
  if (message.start) void start(message.start);
  if (message.report) {
    process.send?.({ arrived: { unique, duplicates, strange, latencyMs: latencies.summary() } satisfies Arrived });
    if (message.report.fresh) latencies = new Latencies();
  }
});
process.on("disconnect", () => process.exit(0));
