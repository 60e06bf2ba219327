/** The listening side of links: lets in whom the pins, the roles and the table `mayCall` allow, and nobody else. */
import { createServer, type TLSSocket } from "node:tls";
import { type Address, frameKind, mayCall, type Role } from "@trefoil/wire";
import { listening } from "../life/http.ts";
import { rateLimited } from "../life/log.ts";
import { admit, refusals } from "./admit.ts";
import { openConnection } from "./connection.ts";
import { encodeFrames, outgoing } from "./frame.ts";
import { type Link, type LinkLimits, linkLimits } from "./link.ts";
import type { Methods } from "./method.ts";
import { type Station, serverTls } from "./tls.ts";

export type LinkListener = {
  readonly address: Address;
  /** The link that a server of this role holds at the moment. The newest one, when it connected anew. */
  link(role: Role): Link | undefined;
  close(): Promise<void>;
};
export type ListenOptions = {
  readonly address: Address;
  /** Who may connect, and what each may ask. A caller that the table `mayCall` forbids is a bug here. */
  readonly from: { readonly [caller in Role]?: Methods };
  readonly onLink?: (link: Link) => void;
  readonly limits?: Partial<LinkLimits>;
};

export async function listenLink(
  station: Station,
  { address, from, onLink, limits }: ListenOptions,
): Promise<LinkListener> {
  const log = rateLimited(station.log);
  const refused = refusals(station);
  const callers = Object.keys(from) as Role[];
  for (const caller of callers) {
    if (!mayCall[caller].includes(station.role)) throw new TypeError(`${caller} may not call ${station.role}`);
  }
  const links = new Map<Role, Link>();
  const sockets = new Set<TLSSocket>();

  const server = createServer(serverTls(station.tls), (socket) => {
    const peer = admit(station, socket, callers);
    if (typeof peer === "string") {
      refused.inc({ reason: peer });
      log.warn({ code: peer }, "a link was refused");
      refuseSocket(socket, peer);
      return;
    }
    const link = openConnection(socket, peer, from[peer.role] ?? {}, log, { ...linkLimits, ...limits });
    links.get(peer.role)?.close("link/replaced");
    links.set(peer.role, link);
    station.log.info({ peer: peer.role }, "link opened");
    void link.closed.then((reason) => {
      if (links.get(peer.role) === link) links.delete(peer.role);
      station.log.info({ peer: peer.role, reason }, "link closed");
    });
    onLink?.(link);
  });
  server.on("connection", (socket) => {
    sockets.add(socket as TLSSocket);
    socket.once("close", () => sockets.delete(socket as TLSSocket));
  });
  server.on("tlsClientError", (error: NodeJS.ErrnoException) => {
    refused.inc({ reason: "link/no-tls" });
    log.warn({ code: error.code ?? "unknown" }, "a connection without a certificate of this network was refused");
  });

  const real = await listening(server, address);
  return {
    address: real,
    link: (role) => links.get(role),
    close: async () => {
      const done = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const link of links.values()) link.close();
      const late = setTimeout(() => sockets.forEach((socket) => void socket.destroy()), 500);
      await done;
      clearTimeout(late);
    },
  };
}

/** Tells why (frame id 0: it answers no request), then closes. In TLS 1.3 the caller has long believed to be connected. */
function refuseSocket(socket: TLSSocket, code: string): void {
  socket.on("error", () => undefined);
  const frame = outgoing(frameKind.refusal, 0, { code, retry: "later" });
  if (frame) socket.write(encodeFrames([frame]));
  socket.destroySoon();
}
