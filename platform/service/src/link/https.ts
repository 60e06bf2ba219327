/**
 * HTTPS clients: of the own servers, pinned by role (connectHttps), and of another owner's server, pinned by its key alone, whoever
 * issued its certificate (connectPinned). https-listen.ts is the other side.
 */
import { Agent, request } from "node:https";
import { isIP } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { Fault } from "@trefoil/store";
import type { Address, Role } from "@trefoil/wire";
import { type HttpsAnswer, readBody } from "./https-listen.ts";
import { clientContext, clientTls, type Station, spkiFingerprint, validityOf } from "./tls.ts";

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

function isPinned(socket: TLSSocket, fingerprint: string): boolean {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined || spkiFingerprint(certificate) !== fingerprint) return false;
  const { notBefore, notAfter } = validityOf(certificate);
  const now = Date.now();
  return notBefore <= now && now <= notAfter;
}

// A resumed session would not show the certificate again.
const kept = { keepAlive: true, maxSockets: 32, maxCachedSessions: 0 } as const;

function client(agent: Agent, address: Address, to: string): HttpsClient {
  return clientOf(agent, address, to);
}

/** A client over an agent that knows whom it trusts. `name`: how the peer is called in messages. */
export function clientOf(agent: Agent, { host, port }: Address, name: string): HttpsClient {
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
                : { status: answer.statusCode ?? 0, body: parse(body, name) },
            ),
          )
          .catch((error) => reject(faultOf(error, name)));
      });
      asked.once("error", (error: NodeJS.ErrnoException) => {
        // The server closed a kept connection at the moment that it was used again: nothing was read.
        if (mayRepeat && asked.reusedSocket && error.code === "ECONNRESET")
          resolve(attempt(path, text, timeoutMs, false));
        else reject(faultOf(error, name));
      });
      asked.end(text);
    });
  return {
    post: (path, body, { timeoutMs = 10_000 } = {}) => attempt(path, JSON.stringify(body), timeoutMs, true),
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
