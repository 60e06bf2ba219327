/**
 * HTTPS between two servers, with the same certificates, pins and table `mayCall` as links: the transport of TS002
 * (LoRaWAN Backend Interfaces) between network-server and join-server. What is said over it is not this module's business.
 */
import type { IncomingMessage } from "node:http";
import { Agent, createServer, request } from "node:https";
import type { TLSSocket } from "node:tls";
import { Fault } from "@trefoil/store";
import type { Address, Role } from "@trefoil/wire";
import { listening } from "../life/http.ts";
import { rateLimited } from "../life/log.ts";
import { admit, refusals } from "./admit.ts";
import { clientTls, type Peer, type Station, serverTls } from "./tls.ts";

export type HttpsRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  /** As it came: malformed JSON is the protocol's to answer. */
  readonly body: string;
  readonly peer: Peer;
};
export type HttpsAnswer = { readonly status: number; readonly body: unknown };
export type HttpsListener = { readonly address: Address; close(): Promise<void> };
export type HttpsListenOptions = {
  readonly address: Address;
  readonly from: readonly Role[];
  readonly handler: (request: HttpsRequest) => Promise<HttpsAnswer>;
  readonly bodyLimit?: number;
};

/** Listens. Connections of anybody else than the pinned servers of `from` are closed before a request is read. */
export async function listenHttps(station: Station, options: HttpsListenOptions): Promise<HttpsListener> {
  const { address, from, handler, bodyLimit = 1024 * 1024 } = options;
  const log = rateLimited(station.log);
  const refused = refusals(station);
  const peers = new WeakMap<object, Peer>();

  const server = createServer(
    { ...serverTls(station.tls), keepAliveTimeout: 60_000, requestTimeout: 30_000 },
    (incoming, outgoing) => {
      const answer = ({ status, body }: HttpsAnswer) => {
        const text = JSON.stringify(body);
        outgoing
          .writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) })
          .end(text);
      };
      const peer = peers.get(incoming.socket);
      if (!peer) return void incoming.socket.destroy();
      readBody(incoming, bodyLimit)
        .then((body) => {
          if (body === undefined) return { status: 413, body: { error: { code: "https/too-large" } } };
          return handler({
            method: incoming.method ?? "",
            path: incoming.url ?? "",
            headers: incoming.headers,
            body,
            peer,
          });
        })
        .then(answer)
        .catch((error) => {
          const status = error instanceof Fault ? 503 : 500;
          if (!incoming.destroyed || incoming.complete)
            log.error({ peer: peer.role, err: error }, "a request of a peer failed");
          if (!outgoing.headersSent)
            answer({ status, body: { error: { code: error instanceof Fault ? error.code : "https/failed" } } });
        });
    },
  );
  server.on("secureConnection", (socket: TLSSocket) => {
    const peer = admit(station, socket, from);
    if (typeof peer !== "string") return void peers.set(socket, peer);
    refused.inc({ reason: peer });
    log.warn({ code: peer }, "a connection was refused");
    socket.destroy();
  });
  server.on("tlsClientError", (error: NodeJS.ErrnoException) => {
    refused.inc({ reason: "link/no-tls" });
    log.warn({ code: error.code ?? "unknown" }, "a connection without a certificate of this network was refused");
  });
  return {
    address: await listening(server, address),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
        setTimeout(() => server.closeAllConnections(), 1_000).unref();
      }),
  };
}

/** Undefined when it is too large. */
async function readBody(incoming: IncomingMessage, limit: number): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let octets = 0;
  for await (const part of incoming as AsyncIterable<Buffer>) {
    octets += part.length;
    if (octets <= limit) parts.push(part);
    else if (octets > 4 * limit) throw new Fault("https/too-large", "a body went far over its limit");
  }
  return octets > limit ? undefined : Buffer.concat(parts).toString("utf8");
}

export type HttpsClient = {
  /** Posts JSON. Rejects with `Fault`: https/down, https/timeout, https/malformed, link/not-pinned. */
  post(path: string, body: unknown, options?: { readonly timeoutMs?: number }): Promise<HttpsAnswer>;
  close(): void;
};

/** A client with connections that are kept open. */
export function connectHttps(
  station: Station,
  { to, address }: { readonly to: Role; readonly address: Address },
): HttpsClient {
  const agent = new Agent({
    ...clientTls(station.tls, to),
    keepAlive: true,
    maxSockets: 32,
    // A resumed session would not show the certificate again.
    maxCachedSessions: 0,
  });
  const attempt = (path: string, text: string, timeoutMs: number, mayRepeat: boolean): Promise<HttpsAnswer> =>
    new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
      const asked = request({ agent, host: address.host, port: address.port, path, method: "POST", headers });
      const timer = setTimeout(
        () => asked.destroy(new Fault("https/timeout", `the ${to} did not answer in time`)),
        timeoutMs,
      );
      asked.once("close", () => clearTimeout(timer));
      asked.once("response", (answer) => {
        readBody(answer, 16 * 1024 * 1024)
          .then((body) => resolve({ status: answer.statusCode ?? 0, body: parse(body, to) }))
          .catch((error) => reject(faultOf(error, to)));
      });
      asked.once("error", (error: NodeJS.ErrnoException) => {
        // The server closed a kept connection at the moment that it was used again: nothing was read.
        if (mayRepeat && asked.reusedSocket && error.code === "ECONNRESET")
          resolve(attempt(path, text, timeoutMs, false));
        else reject(faultOf(error, to));
      });
      asked.end(text);
    });
  return {
    post: (path, body, { timeoutMs = 10_000 } = {}) => attempt(path, JSON.stringify(body), timeoutMs, true),
    close: () => agent.destroy(),
  };
}

function parse(body: string | undefined, to: Role): unknown {
  try {
    return JSON.parse(body ?? "");
  } catch {
    throw new Fault("https/malformed", `the ${to} answered something that is not JSON`);
  }
}

function faultOf(error: unknown, to: Role): Fault {
  if (error instanceof Fault) return error;
  const code = (error as NodeJS.ErrnoException).code ?? "unknown";
  return new Fault("https/down", `the ${to} cannot be reached (${code})`, { fields: { reason: code }, cause: error });
}
