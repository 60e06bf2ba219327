/** Reads what the tapped processes wrote down (tap/format.ts), while they do: marks as they are reached, messages stream by stream. */
import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { type Holder, holders } from "./policy.ts";
import type { Piece } from "./scan.ts";
import { headOctets, type Mark, recordKind, type Stream } from "./tap/format.ts";

/** One connection of one process: what went out and what came in, each in order. */
export type Traffic = {
  readonly process: string;
  readonly holder: Holder;
  readonly stream: Stream;
  readonly out: Buffer[];
  readonly in: Buffer[];
};
/** A process that stands still, and the message at which it does. */
export type Standing = Mark & { readonly process: string; readonly holder: Holder; readonly message: Buffer };

type Reader = {
  readonly file: number;
  readonly holder: Holder;
  at: number;
  rest: Buffer;
  last: Buffer;
  readonly streams: Map<number, Traffic>;
};

export class Records {
  readonly #folder: string;
  readonly #readers = new Map<string, Reader>();
  readonly #standing: Standing[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  get traffic(): readonly Traffic[] {
    return [...this.#readers.values()].flatMap(({ streams }) => [...streams.values()]);
  }

  /** Who has come to stand at a mark, each once. */
  arrivals(): readonly Standing[] {
    this.readOn();
    return this.#standing.splice(0);
  }

  readOn(): void {
    for (const name of readdirSync(this.#folder)) {
      const process = /^(.+)\.tap$/.exec(name)?.[1];
      if (process === undefined || this.#readers.has(process)) continue;
      const holder = holders.find((known) => known === process.replace(/-\d+$/, "")) ?? "supervisor";
      const file = openSync(join(this.#folder, name), "r");
      const none = Buffer.alloc(0);
      this.#readers.set(process, { file, holder, at: 0, rest: none, last: none, streams: new Map() });
    }
    for (const [process, reader] of this.#readers) this.#readOn(process, reader);
  }

  close(): void {
    for (const { file } of this.#readers.values()) closeSync(file);
    this.#readers.clear();
  }

  #readOn(process: string, reader: Reader): void {
    let octets = Buffer.concat([reader.rest, readFrom(reader.file, reader.at)]);
    reader.at += octets.length - reader.rest.length;
    while (octets.length >= headOctets) {
      const end = headOctets + octets.readUInt32LE(0);
      if (octets.length < end) break;
      const [kind, id, content] = [octets.readUInt8(4), octets.readUInt32LE(5), octets.subarray(headOctets, end)];
      octets = octets.subarray(end);
      const { holder, last } = reader;
      if (kind === recordKind.stream) {
        const stream = JSON.parse(content.toString()) as Stream;
        reader.streams.set(id, { process, holder, stream, out: [], in: [] });
      } else if (kind === recordKind.mark)
        this.#standing.push({ ...(JSON.parse(content.toString()) as Mark), process, holder, message: last });
      else {
        reader.streams.get(id)?.[kind === recordKind.out ? "out" : "in"].push(content);
        reader.last = content;
      }
    }
    reader.rest = octets;
  }

  /** Every message and log line so far, to be searched. Joined stream by stream: a key may lie across two pieces. */
  pieces(): readonly Piece[] {
    const all = this.traffic;
    return all.flatMap((one): Piece[] => {
      const { stream, holder } = one;
      if (stream.is === "log") {
        const of = holders.find((known) => known === stream.of);
        return [{ holder: of ?? holder, place: "log", where: "its output", octets: Buffer.concat(one.in) }];
      }
      const other = partnerOf(one, all);
      return [
        { holder, place: "messages", where: `to ${other}`, octets: Buffer.concat(one.out) },
        { holder, place: "messages", where: `from ${other}`, octets: Buffer.concat(one.in) },
      ];
    });
  }
}

/** Who is at the other end, as far as can be told. */
function partnerOf({ stream, process }: Traffic, all: readonly Traffic[]): string {
  if (stream.is === "ipc") return `${stream.with} (IPC)`;
  if (stream.is === "stdin") return "a program of the initialisation";
  if (stream.is !== "socket") return "gateways";
  if (stream.remote === undefined) return process.startsWith("vault") ? "join-server" : "vault or command line";
  const other = all.find(
    ({ stream: theirs }) => theirs.is === "socket" && theirs.local === stream.remote && theirs.remote === stream.local,
  );
  return other?.holder ?? "outside";
}

function readFrom(file: number, at: number): Buffer {
  const parts: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.allocUnsafeSlow(64 * 1024);
    const read = readSync(file, chunk, 0, chunk.length, at);
    if (read === 0) return Buffer.concat(parts);
    parts.push(chunk.subarray(0, read));
    at += read;
  }
}
