/**
 * Asks for joins as a network server does (TS002 JoinReq, HTTPS with mutual TLS), as fast as they are answered: so many connections, one
 * request under way on each. A process of its own. HTTP is written and read by hand: it shares the machine with what is measured.
 */
import { connect, type TLSSocket } from "node:tls";
import { Latencies } from "../uplinks/latencies.ts";
import { devEuiOf, joinEui, joinRequestOf } from "./devices.ts";

export type GeneratorStart = {
  readonly host: string;
  readonly port: number;
  /** PEM. */
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: string };
  readonly connections: number;
  readonly devices: number;
  readonly netId: string;
  readonly macVersion: "1.0.4" | "1.1";
};
export type Ran = {
  readonly joins: number;
  readonly refused: { readonly [result: string]: number };
  readonly seconds: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number };
};

/** Neighbours in the order of joins are not neighbours in the store: a prime that shares no factor with a round number. */
const stride = 7_919;

class Generator {
  readonly #start: GeneratorStart;
  readonly #sockets: readonly Connection[];
  #asked = 0;

  constructor(start: GeneratorStart, sockets: readonly Connection[]) {
    this.#start = start;
    this.#sockets = sockets;
  }
  async run(seconds: number): Promise<Ran> {
    const latencies = new Latencies();
    const refused: { [result: string]: number } = {};
    let joins = 0;
    const started = performance.now();
    const end = started + seconds * 1_000;
    const work = async (socket: Connection) => {
      for (let at = performance.now(); at < end; ) {
        const body = this.#next();
        at = performance.now(); // making the frame is the device's work
        const result = resultOf(await socket.post(body));
        const answered = performance.now();
        latencies.add((answered - at) * 1_000);
        if (result === "Success") joins += 1;
        else refused[result] = (refused[result] ?? 0) + 1;
        at = answered;
      }
    };
    await Promise.all(this.#sockets.map(work));
    const { p50, p99 } = latencies.summary();
    return { joins, refused, seconds: (performance.now() - started) / 1_000, latencyMs: { p50, p99 } };
  }
  #next(): string {
    const { devices, netId, macVersion } = this.#start;
    const asked = this.#asked;
    this.#asked += 1;
    const i = (asked * stride) % devices;
    const is11 = macVersion === "1.1";
    return JSON.stringify({
      ...{ ProtocolVersion: "1.0", SenderID: netId, ReceiverID: joinEui, TransactionID: asked, MessageType: "JoinReq" },
      ...{ MACVersion: macVersion, PHYPayload: joinRequestOf(i, Math.trunc(asked / devices) + 1, is11) },
      ...{ DevEUI: devEuiOf(i), DevAddr: (0x26000000 + i).toString(16), DLSettings: is11 ? "80" : "00", RxDelay: 1 },
    });
  }
}

type Answer = {
  readonly Result?: { readonly ResultCode?: string; readonly Description?: string };
  readonly PHYPayload?: string;
};
/** "Success", or what was answered instead. */
function resultOf(body: string): string {
  const { Result, PHYPayload } = JSON.parse(body) as Answer;
  if (Result?.ResultCode !== "Success") return `${Result?.ResultCode} (${Result?.Description})`;
  return PHYPayload?.length === 34 || PHYPayload?.length === 66 ? "Success" : "no join-accept";
}

/** HTTP/1.1 with Content-Length, one request at a time. */
class Connection {
  readonly #socket: TLSSocket;
  #received = "";
  #settle: { readonly resolve: (body: string) => void; readonly reject: (error: Error) => void } | undefined;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setEncoding("latin1").setNoDelay(true);
    socket.on("data", (text: string) => this.#take(text));
    socket.on("close", () => this.#settle?.reject(new Error("the join server closed the connection")));
  }
  post(body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.write(
        `POST / HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    });
  }
  #take(text: string): void {
    this.#received += text;
    const head = this.#received.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = /content-length: (\d+)/i.exec(this.#received.slice(0, head))?.[1];
    if (length === undefined) {
      this.#settle?.reject(new Error("an answer without Content-Length"));
      return;
    }
    const end = head + 4 + Number(length);
    if (this.#received.length < end) return;
    const body = this.#received.slice(head + 4, end);
    this.#received = this.#received.slice(end);
    this.#settle?.resolve(body);
  }
}

function open({ host, port, tls }: GeneratorStart): Promise<Connection> {
  return new Promise((resolve, reject) => {
    // The benchmark made the server's certificate itself: whose name is in it is not asked.
    const socket = connect({ host, port, ...tls, checkServerIdentity: () => undefined });
    socket.once("secureConnect", () => resolve(new Connection(socket)));
    socket.once("error", reject);
  });
}

type Question = { readonly start: GeneratorStart } | { readonly run: { readonly seconds: number } };
let generator: Generator | undefined;
process.on("message", async (question: Question) => {
  try {
    if ("start" in question) {
      const { start } = question;
      generator = new Generator(start, await Promise.all(Array.from({ length: start.connections }, () => open(start))));
      process.send?.({ ready: true });
    } else process.send?.({ ran: await generator?.run(question.run.seconds) });
  } catch (error) {
    console.error(`bench: the generator failed: ${(error as Error).message}`);
    process.exit(1);
  }
});
process.on("disconnect", () => process.exit(0));
