/**
 * The yardstick of `npm run bench -- uplinks`: the least that any such network must do, in one process, and nothing else.
 * Datagram → PUSH_ACK → JSON.parse → base64 → look-up by DevAddr → counter, committed in groups by a worker thread.
 * No MIC, no decryption, no merging of gateways, no delivery. It shares no code with the network that is measured against it.
 *
 * Started with fork(). Messages: in `{ start: { folder, devices, firstDevAddr } }`, `{ report: true }`; out `{ ready: { port } }`,
 * `{ counts: Counts }`. It ends when its parent does.
 */
import { createSocket } from "node:dgram";
import { Worker } from "node:worker_threads";

export type BareStart = { readonly folder: string; readonly devices: number; readonly firstDevAddr: number };
export type BareCounts = {
  readonly datagrams: number;
  /** Counters that are on the disk. */
  readonly committed: number;
  /** Not newer than the one before, or from nobody known. */
  readonly refused: number;
};

const flushMs = 5;
const flushRows = 200;
const pushData = 0;
const pushAck = 1;
const pullData = 2;
const pullAck = 4;

let datagrams = 0;
let committed = 0;
let refused = 0;

function start({ folder, devices, firstDevAddr }: BareStart): void {
  const lastFCnt = new Map<number, number>();
  for (let i = 0; i < devices; i++) lastFCnt.set(firstDevAddr + i, -1);
  const writer = new Worker(new URL("./bare-writer.ts", import.meta.url), {
    workerData: { folder, devices, firstDevAddr },
  });

  let rows: number[] = []; // DevAddr, FCnt, DevAddr, FCnt, …
  const flush = () => {
    if (rows.length === 0) return;
    const batch = Uint32Array.from(rows);
    rows = [];
    writer.postMessage(batch, [batch.buffer]);
  };
  setInterval(flush, flushMs);

  const socket = createSocket({
    type: "udp4",
    recvBufferSize: 4 << 20,
    lookup: (host, _, done) => done(null, host, 4),
  });
  const ack = Buffer.alloc(4);
  socket.on("message", (message, from) => {
    if (message.length < 12 || (message[3] !== pushData && message[3] !== pullData)) return;
    message.copy(ack, 0, 0, 4);
    ack[3] = message[3] === pushData ? pushAck : pullAck;
    socket.send(ack, from.port, from.address);
    if (message[3] === pullData) return;
    datagrams++;
    const { rxpk } = JSON.parse(message.toString("utf8", 12)) as { rxpk?: readonly { data: string }[] };
    for (const { data } of rxpk ?? []) {
      const phyPayload = Buffer.from(data, "base64");
      const devAddr = phyPayload.readUInt32LE(1);
      const fCnt = phyPayload.readUInt16LE(6);
      const last = lastFCnt.get(devAddr);
      if (last === undefined || fCnt <= last) {
        refused++;
        continue;
      }
      lastFCnt.set(devAddr, fCnt);
      if (rows.push(devAddr, fCnt) >= 2 * flushRows) flush();
    }
  });

  writer.on("message", (message: { ready?: true; committed?: number }) => {
    if (message.committed !== undefined) committed += message.committed;
    else socket.bind(0, "127.0.0.1", () => process.send?.({ ready: { port: socket.address().port } }));
  });
  writer.on("error", (error) => {
    throw error;
  });
}

process.on("message", (message: { start?: BareStart; report?: true }) => {
  if (message.start) start(message.start);
  if (message.report) process.send?.({ counts: { datagrams, committed, refused } satisfies BareCounts });
});
process.on("disconnect", () => process.exit(0));
