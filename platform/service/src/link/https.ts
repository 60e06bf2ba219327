/**
 * HTTPS clients: of the own servers, pinned by role (connectHttps), and of another owner's server, pinned by its key alone, whoever
 * issued its certificate (connectPinned), or by an authority (connectTrusted). https-listen.ts is the other side.
 */
import { Agent, request } from "node:https";
import { isIP } from "node:net";
import { connect, createSecureContext, type TLSSocket } from "node:tls";
import { Fault } from "@trefoil/store";
import type { Address, Role } from "@trefoil/wire";
import { type HttpsAnswer, readBody } from "./https-listen.ts";
import { clientContext, clientTls, type Station, spkiFingerprint, validityOf } from "./tls.ts";

export type HttpsClient = {
  /** Posts JSON. Rejects with `Fault`: https/down, https/timeout, https/malformed, link/not-pinned. */
  post(path: string, body: unknown, options?: { readonly timeoutMs?: number }): Promise<HttpsAnswer>;
  /** The same with JSON that was written already. */
  postText(path: string, json: string, options?: { readonly timeoutMs?: number }): Promise<HttpsAnswer>;
  close(): void;
};

/** A client with connections that are kept open. */
export function connectHttps(
  station: Station,
  { to, address }: { readonly to: Role; readonly address: Address },
): HttpsClient {
  return client(new Agent({ ...clientTls(station.tls, to), ...kept }), address, `the ${to}`);
}

/** A client of another owner's server, which shows the key with this fingerprint (SHA-256 of SubjectPublicKeyInfo) and nothing else. */
export function connectPinned(
  station: Pick<Station, "tls">,
  { address, fingerprint, name }: { readonly address: Address; readonly fingerprint: string; readonly name: string },
): HttpsClient {
  const agent = new Agent(kept);
  const dial = (_options: unknown, done: (error: Error | null, socket?: TLSSocket) => void) => {
    const socket = connect({
      ...address,
      secureContext: clientContext(station.tls),
      // Not by its issuer and names, but by its key, below: before a single octet of a request is sent.
      rejectUnauthorized: false,
      ...(isIP(address.host) ? {} : { servername: address.host }),
    });
    socket.once("error", done);
    socket.once("secureConnect", () => {
      socket.off("error", done);
      if (isPinned(socket, fingerprint)) return done(null, socket);
      socket.on("error", () => {});
      socket.destroy();
      done(new Fault("link/not-pinned", `what listens there is not ${name}`, { retry: "later" }));
    });
    return undefined;
  };
  agent.createConnection = dial as unknown as typeof agent.createConnection;
  return client(agent, address, name);
}

/** A client of another owner's server, whose certificate is of the authority in `ca` (PEM; absent: a public one) and for its host's name. */
export function connectTrusted(
  station: Pick<Station, "tls">,
  { address, ca, name }: { readonly address: Address; readonly ca?: string; readonly name: string },
): HttpsClient {
  const { key, cert } = station.tls;
  // TLS 1.2 too: the other side is not ours to choose.
  const secureContext = createSecureContext({ key, cert, minVersion: "TLSv1.2", ...(ca === undefined ? {} : { ca }) });
  const servername = isIP(address.host) ? {} : { servername: address.host };
  return client(new Agent({ ...kept, ...servername, secureContext }), address, name);
}

function isPinned(socket: TLSSocket, fingerprint: string): boolean {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined || spkiFingerprint(certificate) !== fingerprint) return false;
  const { notBefore, notAfter } = validityOf(certificate);
  const now = Date.now();
  return notBefore <= now && now <= notAfter;
}

// A resumed session would not show the certificate again.
const kept = { keepAlive: true, maxSockets: 32, maxCachedSessions: 0 } as const;

function client(agent: Agent, { host, port }: Address, to: string): HttpsClient {
  const attempt = (path: string, text: string, timeoutMs: number, mayRepeat: boolean): Promise<HttpsAnswer> =>
    new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
      const asked = request({ agent, host, port, path, method: "POST", headers });
      const timer = setTimeout(
        () => asked.destroy(new Fault("https/timeout", `${to} did not answer in time`)),
        timeoutMs,
      );
      asked.once("close", () => clearTimeout(timer));
      asked.once("response", (answer) => {
        readBody(answer, 16 * 1024 * 1024)
          .then((body) =>
            resolve(
              body === ""
                ? { status: answer.statusCode ?? 0 }
                : { status: answer.statusCode ?? 0, body: parse(body, to) },
            ),
          )
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
  const postText: HttpsClient["postText"] = (path, json, { timeoutMs = 10_000 } = {}) =>
    attempt(path, json, timeoutMs, true);
  return {
    postText,
    post: (path, body, options) => postText(path, JSON.stringify(body), options),
    close: () => agent.destroy(),
  };
}

function parse(body: string | undefined, to: string): unknown {
  try {
    return JSON.parse(body ?? "");
  } catch {
    throw new Fault("https/malformed", `${to} answered something that is not JSON`);
  }
}

function faultOf(error: unknown, to: string): Fault {
  if (error instanceof Fault) return error;
  const code = (error as NodeJS.ErrnoException).code ?? "unknown";
  return new Fault("https/down", `${to} cannot be reached (${code})`, { fields: { reason: code }, cause: error });
}
