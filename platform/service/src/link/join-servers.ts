/**
 * Which join server is asked about a JoinEUI: those of the configuration by range, the smallest range first, and this network's own for
 * all else (TS002-1.0.0 §8: a network server finds the join server of a JoinEUI). Foreign ones are reached by HTTPS with this server's certificate.
 */
import { Agent } from "node:https";
import { connect, createSecureContext, type TLSSocket } from "node:tls";
import { Fault } from "@trefoil/store";
import type { Address } from "@trefoil/wire";
import { clientOf, connectHttps, type HttpsClient } from "./https.ts";
import { type Station, spkiFingerprint } from "./tls.ts";

/** One entry of `joinServers` in the configuration. */
export type ForeignJoinServer = {
  /** Inclusive at both ends, 16 hex digits in lower case. */
  readonly joinEuis: { readonly first: string; readonly last: string };
  readonly url: string;
  /** SHA-256 of the SubjectPublicKeyInfo of its certificate, hex: then that key alone counts, whoever signed it. */
  readonly pin?: string;
  /** PEM of the authority that its certificate is from. Without `pin` and `ca`: the public ones. */
  readonly ca?: string;
  /** Of TS002. Default 1.0. */
  readonly protocolVersion?: "1.0" | "1.1";
};

export type JoinServer = {
  readonly protocolVersion: "1.0" | "1.1";
  /** Posts a message of TS002 and gives what was answered. Rejects with a Fault. */
  readonly ask: (message: unknown, timeoutMs: number) => Promise<unknown>;
};
export type JoinServers = {
  /** Undefined where no configured one has this JoinEUI and there is no own one. */
  readonly of: (joinEui: string) => JoinServer | undefined;
  readonly close: () => void;
};

const wrong = (entry: number, what: string) =>
  new Fault("config/join-servers", `joinServers[${entry}].${what}`, { retry: "never" });

/** `own`: where this network's own join-server listens. */
export function connectJoinServers(
  station: Station,
  own: Address | undefined,
  foreign: readonly ForeignJoinServer[],
): JoinServers {
  const clients: HttpsClient[] = [];
  const joinServer = (client: HttpsClient, path: string, protocolVersion: "1.0" | "1.1"): JoinServer => {
    clients.push(client);
    return {
      protocolVersion,
      ask: async (message, timeoutMs) => (await client.post(path, message, { timeoutMs })).body,
    };
  };
  const ranges = foreign
    .map((entry, n) => {
      const { first, last } = entry.joinEuis;
      if (!isEui(first) || !isEui(last) || first > last) throw wrong(n, "joinEuis: two JoinEUIs, the lower one first");
      const { client, path } = connectForeign(station, entry, n);
      const size = BigInt(`0x${last}`) - BigInt(`0x${first}`);
      return { first, last, size, server: joinServer(client, path, entry.protocolVersion ?? "1.0") };
    })
    .sort((a, b) => (a.size < b.size ? -1 : a.size > b.size ? 1 : 0));
  const home = own && joinServer(connectHttps(station, { to: "join-server", address: own }), "/", "1.1");
  return {
    of: (joinEui) => ranges.find(({ first, last }) => first <= joinEui && joinEui <= last)?.server ?? home,
    close: () => {
      for (const client of clients) client.close();
    },
  };
}

const isEui = (text: string) => /^[0-9a-f]{16}$/.test(text);

function connectForeign(
  { tls: { key, cert } }: Station,
  { url, pin, ca }: ForeignJoinServer,
  entry: number,
): { readonly client: HttpsClient; readonly path: string } {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== "https:" || parsed.username || parsed.password) throw wrong(entry, "url: an https address");
  if (pin !== undefined && !/^[0-9a-f]{64}$/.test(pin)) throw wrong(entry, "pin: 64 hex digits in lower case");
  const host = parsed.hostname.replace(/^\[|\]$/g, "");
  let secureContext: ReturnType<typeof createSecureContext>;
  try {
    secureContext = createSecureContext({ key, cert, minVersion: "TLSv1.2", ...(ca === undefined ? {} : { ca }) });
  } catch (cause) {
    throw Object.assign(wrong(entry, "ca: certificates in PEM"), { cause });
  }
  const options = { keepAlive: true, maxSockets: 32, maxCachedSessions: 0, secureContext };
  // A name is checked as usual; a bare address has no SNI.
  const name = /^[0-9.]+$|:/.test(host) ? {} : { servername: host };
  const agent =
    pin === undefined
      ? new Agent({ ...options, ...name })
      : new PinnedAgent({ ...options, ...name }, pin, ca !== undefined);
  const client = clientOf(agent, { host, port: Number(parsed.port || 443) }, `join server ${parsed.host}`);
  return { client, path: `${parsed.pathname}${parsed.search}` };
}

/** Hands out a connection when the pinned key is at its other end, so that not one octet goes to another. */
class PinnedAgent extends Agent {
  readonly #pin: string;
  readonly #alsoAuthority: boolean;

  constructor(options: ConstructorParameters<typeof Agent>[0], pin: string, alsoAuthority: boolean) {
    super(options);
    this.#pin = pin;
    this.#alsoAuthority = alsoAuthority;
  }

  override createConnection(
    options: Parameters<typeof connect>[0],
    done?: (error: Error | null, socket: TLSSocket) => void,
  ): undefined {
    const socket = connect({ ...options, rejectUnauthorized: this.#alsoAuthority });
    const failed = (error: Error) => done?.(error, socket);
    socket.once("error", failed);
    socket.once("secureConnect", () => {
      socket.off("error", failed);
      const certificate = socket.getPeerX509Certificate();
      if (certificate && spkiFingerprint(certificate) === this.#pin) return done?.(null, socket);
      socket.destroy();
      failed(new Fault("link/not-pinned", "what listens there is not the join server of the configuration"));
    });
  }
}
