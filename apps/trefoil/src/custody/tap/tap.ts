/**
 * Loaded before everything else (node --import) into the processes of a custody run, and into no others: there is no option of `trefoil` that
 * would do so. It writes down every message that the process sends or gets, before it is encrypted and after it is decrypted, and
 * stands still at the marked points. No server knows of it.
 *
 *   --import file:///…/tap.ts?folder=/…          folder: where to write, the verifier's own
 */
import { ChildProcess } from "node:child_process";
import { Socket as Datagrams } from "node:dgram";
import { existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { Server, Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { isMainThread } from "node:worker_threads";
import { type Go, goFile, headOctets, type Mark, type RecordKind, recordKind, type Stream } from "./format.ts";
import { marks, saysAll } from "./marks.ts";
import { plantAll } from "./plant.ts";

const longestHoldMs = 120_000;
type Anything = { [name: string]: unknown };

if (isMainThread) tap(new URL(import.meta.url).searchParams.get("folder") ?? "");

/** Which process a program is: the role of a server, or the supervisor. */
function roleOf(programs: readonly string[]): string {
  for (const program of programs) {
    const role = /servers\/([a-z-]+)\/src\/main\.ts$/.exec(program)?.[1];
    if (role !== undefined) return role;
  }
  return "supervisor";
}

function tap(folder: string): void {
  const role = roleOf(process.argv.slice(1, 2));
  const name = `${role}-${process.pid}`;
  const file = openSync(`${folder}/${name}.tap`, "ax", 0o600);
  const streams = new WeakMap<object, number>();
  const mine = marks.filter((mark) => mark.role === role);
  let lastStream = 0;
  let lastMark = 0;

  function write(kind: RecordKind, stream: number, content: Uint8Array): void {
    const head = Buffer.allocUnsafeSlow(headOctets);
    head.writeUInt32LE(content.length, 0);
    head.writeUInt8(kind, 4);
    head.writeUInt32LE(stream, 5);
    for (const part of [head, content]) for (let at = 0; at < part.length; ) at += writeSync(file, part, at);
  }

  /** `describe` is asked at the first message, when a socket is connected. */
  function streamOf(of: object, describe: () => Stream): number {
    const known = streams.get(of);
    if (known !== undefined) return known;
    streams.set(of, ++lastStream);
    write(recordKind.stream, lastStream, Buffer.from(JSON.stringify(describe())));
    return lastStream;
  }

  function record(direction: "out" | "in", of: object, describe: () => Stream, parts: readonly Buffer[]): void {
    const stream = streamOf(of, describe);
    for (const part of parts) write(recordKind[direction], stream, part);
  }

  /** Stands still where a mark says so, until the verifier has looked. Timers and messages wait meanwhile. */
  function standAt(direction: "out" | "in", parts: readonly Buffer[]): void {
    for (const mark of mine) {
      if (mark.direction !== direction || !parts.some((part) => saysAll(part, mark))) continue;
      const n = ++lastMark;
      write(recordKind.mark, 0, Buffer.from(JSON.stringify({ mark: mark.name, n } satisfies Mark)));
      const go = goFile(folder, name, n);
      const clock = new Int32Array(new SharedArrayBuffer(4));
      for (const end = Date.now() + longestHoldMs; !existsSync(go) && Date.now() < end; ) Atomics.wait(clock, 0, 0, 2);
      plantAll((JSON.parse(readFileSync(go, "utf8")) as Go).plants ?? []);
    }
  }

  const socketStream = (socket: Socket) => (): Stream => ({
    is: "socket",
    local: socket.localPort,
    remote: socket.remotePort,
    encrypted: socket instanceof TLSSocket,
  });
  const asBuffer = (chunk: unknown, encoding?: unknown): Buffer =>
    typeof chunk === "string" ? Buffer.from(chunk, encoding as BufferEncoding) : (chunk as Buffer);

  // What goes out: one function of Node's writes for all sockets, pipes and TLS. Sockets that still connect come here again.
  const sockets = Socket.prototype as unknown as {
    _writeGeneric: (writev: boolean, data: unknown, encoding: unknown, done: unknown) => unknown;
    push: (chunk: unknown, encoding?: unknown) => boolean;
  };
  const writeGeneric = sockets._writeGeneric;
  sockets._writeGeneric = function (this: Socket, writev, data, encoding, done) {
    if (this.connecting) return writeGeneric.call(this, writev, data, encoding, done);
    const chunks = writev ? (data as { chunk: unknown; encoding: unknown }[]) : [{ chunk: data, encoding }];
    const parts = chunks.map((each) => asBuffer(each.chunk, each.encoding));
    const isOwnOutput = [1, 2].includes((this as unknown as { fd?: number }).fd ?? -1);
    if (!isOwnOutput) record("out", this, socketStream(this), parts);
    const result = writeGeneric.call(this, writev, data, encoding, done);
    if (!isOwnOutput) standAt("out", parts);
    return result;
  };

  // What comes in: whatever a socket reads is pushed into its stream.
  const push = Socket.prototype.push;
  sockets.push = function (this: Socket, chunk, encoding) {
    const parts = chunk === null || chunk === undefined ? [] : [asBuffer(chunk, encoding)];
    if (parts.length > 0) record("in", this, socketStream(this), parts);
    const result = push.call(this, chunk, encoding as BufferEncoding);
    if (parts.length > 0) standAt("in", parts);
    return result;
  };
  // Node's HTTP parser would read from the handle, past the stream.
  const emit = Server.prototype.emit as (this: Server, event: string, ...rest: unknown[]) => boolean;
  Server.prototype.emit = function (this: Server, event: string, ...rest: unknown[]) {
    const handle = ((rest[0] as Anything | undefined)?._handle ?? {}) as Anything;
    if (event === "connection" || event === "secureConnection") handle._consumed = true;
    return emit.call(this, event, ...rest);
  } as typeof Server.prototype.emit;

  const send = Datagrams.prototype.send as (this: Datagrams, ...rest: unknown[]) => void;
  const datagrams = (socket: Datagrams) => (): Stream => ({ is: "datagrams", local: portOf(socket) });
  Datagrams.prototype.send = function (this: Datagrams, ...rest: unknown[]) {
    record(
      "out",
      this,
      datagrams(this),
      [rest[0]].flat().map((part) => asBuffer(part)),
    );
    return send.call(this, ...rest);
  } as typeof Datagrams.prototype.send;
  const emitDatagram = Datagrams.prototype.emit as (this: Datagrams, event: string, ...rest: unknown[]) => boolean;
  Datagrams.prototype.emit = function (this: Datagrams, event: string, ...rest: unknown[]) {
    if (event === "message") record("in", this, datagrams(this), [rest[0] as Buffer]);
    return emitDatagram.call(this, event, ...rest);
  } as typeof Datagrams.prototype.emit;

  /** IPC messages, as the JSON that crosses the channel. */
  const tapSend = (sender: ChildProcess | NodeJS.Process, stream: Stream) => {
    const own = sender.send as ((...rest: unknown[]) => boolean) | undefined;
    if (own === undefined) return;
    const channel = {};
    (sender as unknown as Anything).send = (...rest: unknown[]) => {
      record("out", channel, () => stream, [Buffer.from(JSON.stringify(rest[0]) ?? "")]);
      return own.call(sender, ...rest);
    };
    return channel;
  };
  tapSend(process, { is: "ipc", with: "supervisor" });

  // Processes that this one starts: their output, what they are told, what they tell.
  const children = ChildProcess.prototype as unknown as { spawn: (options: { args?: string[] }) => unknown };
  const spawn = children.spawn;
  children.spawn = function (this: ChildProcess, options) {
    const result = spawn.call(this, options);
    const of = roleOf(options.args ?? []);
    for (const output of [this.stdout, this.stderr]) if (output) streamOf(output, () => ({ is: "log", of }));
    if (this.stdin) streamOf(this.stdin, () => ({ is: "stdin", of }));
    const stream: Stream = { is: "ipc", with: of };
    const channel = tapSend(this, stream);
    if (channel)
      this.on("message", (message) =>
        record("in", channel, () => stream, [Buffer.from(JSON.stringify(message) ?? "")]),
      );
    return result;
  };
}

function portOf(socket: Datagrams): number | undefined {
  try {
    return socket.address().port;
  } catch {
    return undefined; // not bound yet
  }
}
