/**
 * HTTPS for other servers: the transport of TS002 (LoRaWAN Backend Interfaces). Who calls is known by the key of its certificate, whoever
 * issued that: everybody else's connection is closed before a request is read. What is said over it is not this module's business.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { TLSSocket } from "node:tls";
import { Fault } from "@trefoil/store";
import type { Address, Role } from "@trefoil/wire";
import { listening } from "../life/http.ts";
import { rateLimited } from "../life/log.ts";
import { admit, refusals } from "./admit.ts";
import { type Peer, type Station, serverTls, spkiFingerprint, type Validity, validityOf } from "./tls.ts";

export type HttpsRequest<Caller = Peer> = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  /** As it came: malformed JSON is the protocol's to answer. */
  readonly body: string;
  readonly peer: Caller;
};
/** `json` is a body that was written already. Without either only the status is sent. */
export type HttpsAnswer = { readonly status: number; readonly body?: unknown; readonly json?: string };
export type HttpsListener = { readonly address: Address; close(): Promise<void> };

/** Why a connection was closed before a request was read. `fingerprint` of the caller's key, where it showed a certificate. */
export type ConnectionRefused = (
  reason: "link/not-pinned" | "link/not-allowed" | "link/not-valid-now" | "link/no-tls",
  fingerprint?: string,
) => void;

export type HttpsListenOptions<Caller = Peer> = {
  readonly address: Address;
  readonly handler: (request: HttpsRequest<Caller>) => Promise<HttpsAnswer>;
  readonly bodyLimit?: number;
  /** What a body over the limit is answered. It is not kept. */
  readonly tooLarge?: (peer: Caller) => HttpsAnswer | Promise<HttpsAnswer>;
  readonly onRefused?: ConnectionRefused;
} & (
  | {
      /** The own servers of these roles, as peers.json pins them. */
      readonly from: readonly Role[];
    }
  | {
      /** Whose key this is, asked at each connection and at each request: whoever is nobody any more is not heard any more. */
      readonly callerOf: (fingerprint: string) => Caller | undefined;
    }
);

type Caller<C> = Validity & { readonly now: () => C | undefined };
const isValidNow = ({ notBefore, notAfter }: Validity, now = Date.now()) => notBefore <= now && now <= notAfter;

/** Listens. TLS 1.3 proves that a caller has the key of the certificate that it shows. */
export async function listenHttps<C = Peer>(station: Station, options: HttpsListenOptions<C>): Promise<HttpsListener> {
  const { address, handler, bodyLimit = 1024 * 1024, onRefused } = options;
  const tooLarge = options.tooLarge ?? (() => ({ status: 413, body: { error: { code: "https/too-large" } } }));
  const log = rateLimited(station.log);
  const counter = refusals(station);
  const callers = new WeakMap<object, Caller<C>>();
  const refused: ConnectionRefused = (reason, fingerprint) => {
    counter.inc({ reason });
    onRefused?.(reason, fingerprint);
  };

  const heard = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const caller = callers.get(incoming.socket);
    const peer = caller && isValidNow(caller) ? caller.now() : undefined;
    if (peer === undefined) return void incoming.socket.destroy();
    readBody(incoming, bodyLimit)
      .then((body) => {
        if (body === undefined) return tooLarge(peer);
        const { method = "", url: path = "", headers } = incoming;
        return handler({ method, path, headers, body, peer });
      })
      .then((answered) => answer(outgoing, answered))
      .catch((error) => {
        const code = error instanceof Fault ? error.code : "https/failed";
        if (!incoming.destroyed || incoming.complete) log.error({ err: error }, "a request of a peer failed");
        if (!outgoing.headersSent)
          answer(outgoing, { status: error instanceof Fault ? 503 : 500, body: { error: { code } } });
      });
  };

  const server = createServer(
    { ...serverTls(station.tls, "from" in options), keepAliveTimeout: 60_000, requestTimeout: 30_000 },
    heard,
  );
  server.on("secureConnection", (socket: TLSSocket) => {
    const certificate = readCertificate(socket);
    const { fingerprint, validity } = certificate ?? {};
    const caller = certificate ? callerAt(station, options, socket, fingerprint) : "link/not-pinned";
    if (typeof caller === "string" || !validity || !isValidNow(validity)) {
      const reason = typeof caller === "string" ? caller : "link/not-valid-now";
      refused(reason, fingerprint);
      log.warn({ code: reason }, "a connection was refused");
      return void socket.destroy();
    }
    callers.set(socket, { ...validity, now: caller });
  });
  server.on("tlsClientError", (error: NodeJS.ErrnoException) => {
    refused("link/no-tls");
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

/** Undefined where there is none, or one that cannot be read: what strangers show must not end this process. */
function readCertificate(socket: TLSSocket): { readonly fingerprint: string; readonly validity: Validity } | undefined {
  try {
    const certificate = socket.getPeerX509Certificate();
    return certificate && { fingerprint: spkiFingerprint(certificate), validity: validityOf(certificate) };
  } catch {
    return undefined;
  }
}

/** How to ask who is at the other end, or why nobody may be. */
function callerAt<C>(
  station: Station,
  options: HttpsListenOptions<C>,
  socket: TLSSocket,
  fingerprint: string | undefined,
): (() => C | undefined) | "link/not-pinned" | "link/not-allowed" {
  if ("from" in options) {
    const peer = admit(station, socket, options.from);
    return typeof peer === "string" ? peer : () => peer as C;
  }
  const now = () => (fingerprint === undefined ? undefined : options.callerOf(fingerprint));
  return now() === undefined ? "link/not-pinned" : now;
}

function answer(outgoing: ServerResponse, { status, body, json }: HttpsAnswer): void {
  const text = json ?? (body === undefined ? undefined : JSON.stringify(body));
  if (text === undefined) return void outgoing.writeHead(status).end();
  outgoing
    .writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) })
    .end(text);
}

/** Undefined when it is too large. */
export function readBody(incoming: IncomingMessage, limit: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let octets = 0;
    incoming.on("data", (part: Buffer) => {
      octets += part.length;
      if (octets <= limit) parts.push(part);
      // Read on for a while, so that the caller hears why. Not for ever.
      else if (octets > 4 * limit) {
        resolve(undefined);
        incoming.destroy();
      }
    });
    incoming.once("end", () => resolve(octets > limit ? undefined : bodyOf(parts)));
    incoming.once("error", reject);
    incoming.once("close", () =>
      reject(new Fault("https/aborted", "the other side went away in the middle of a body")),
    );
  });
}

const bodyOf = (parts: readonly Buffer[]): string =>
  (parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)).toString("utf8");
