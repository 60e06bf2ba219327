/** The connecting side of links: connects, and for ever connects again. */
import { connect, type TLSSocket } from "node:tls";
import { Fault } from "@trefoil/store";
import type { Address, Role } from "@trefoil/wire";
import { rateLimited } from "../life/log.ts";
import { openConnection } from "./connection.ts";
import { down, type Link, type LinkLimits, linkLimits, pingMethod, type RequestOptions } from "./link.ts";
import type { Methods } from "./method.ts";
import { clientTls, peerOfSocket, type Station } from "./tls.ts";

export type ConnectedLink = {
  /** Rejects with `link/down` while there is no link: nothing is queued here. */
  request<Answer = unknown>(method: string, body: unknown, options?: RequestOptions): Promise<Answer>;
  readonly up: boolean;
  readonly waiting: { readonly requests: number; readonly octets: number };
  /** Called for each established link, the present one included: the place to send again what was not answered. */
  onUp(use: (link: Link) => void): void;
  close(): Promise<void>;
};
export type ConnectOptions = {
  readonly to: Role;
  readonly address: Address;
  /** What the other side may ask over this link. */
  readonly methods?: Methods;
  readonly limits?: Partial<LinkLimits>;
  readonly backOff?: Partial<BackOff>;
};

export type BackOff = { readonly firstMs: number; readonly longestMs: number };
const backOff: BackOff = { firstMs: 50, longestMs: 5_000 };

/** Twice as long after each failure; half of it by chance, so that many callers do not come at the same moment. */
export const delayMs = ({ firstMs, longestMs }: BackOff, failures: number, random: number): number =>
  Math.min(longestMs, firstMs * 2 ** Math.min(failures, 30)) * (0.5 + random / 2);

/** Starts to connect and returns at once. */
export function connectLink(station: Station, options: ConnectOptions): ConnectedLink {
  const { to, address, methods = {} } = options;
  const limits = { ...linkLimits, ...options.limits };
  const log = rateLimited(station.log);
  const users: ((link: Link) => void)[] = [];
  let link: Link | undefined;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  let attempt: TLSSocket | undefined;

  async function dial(): Promise<void> {
    let reason: string;
    try {
      attempt = await open(station, to, address);
      const peer = peerOfSocket(attempt, station.tls.peers);
      if (!peer) throw new Fault("link/not-pinned", "the peer showed no pinned certificate");
      const opened = openConnection(attempt, peer, methods, log, limits);
      reason = await live(opened);
    } catch (error) {
      attempt?.destroy();
      reason = (error as { code?: string }).code ?? "link/failed";
    }
    attempt = undefined;
    if (ended) return;
    log.warn({ peer: to, reason, ...address }, "no link");
    timer = setTimeout(() => void dial(), delayMs({ ...backOff, ...options.backOff }, failures++, Math.random()));
  }

  /** Until it closes. It is up when the peer has answered once: in TLS 1.3 it may still refuse after the handshake. */
  async function live(opened: Link): Promise<string> {
    opened.request(pingMethod, {}, { timeoutMs: 10_000 }).then(
      () => {
        if (ended) return opened.close();
        link = opened;
        failures = 0;
        station.log.info({ peer: to }, "link opened");
        for (const use of users) use(opened);
      },
      () => opened.close("link/no-answer"),
    );
    if (ended) opened.close();
    const reason = await opened.closed;
    if (link === opened) link = undefined;
    return reason;
  }

  void dial();
  return {
    request: (method, body, requestOptions) => link?.request(method, body, requestOptions) ?? Promise.reject(down(to)),
    get up() {
      return link !== undefined;
    },
    get waiting() {
      return link?.waiting ?? { requests: 0, octets: 0 };
    },
    onUp: (use) => {
      users.push(use);
      if (link) use(link);
    },
    close: async () => {
      ended = true;
      clearTimeout(timer);
      link?.close();
      attempt?.destroySoon();
    },
  };
}

function open(station: Station, to: Role, { host, port }: Address): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...clientTls(station.tls, to),
      host,
      port,
      timeout: 10_000,
    });
    socket.once("secureConnect", () => {
      socket.setTimeout(0);
      socket.off("error", reject);
      resolve(socket);
    });
    socket.once("timeout", () => socket.destroy(new Fault("link/timeout", "the peer did not answer")));
    socket.once("error", reject);
  });
}
