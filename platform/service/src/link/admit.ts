/** The border: whom the pins, the roles and the table `mayCall` let in. Who is turned away is counted. */
import type { TLSSocket } from "node:tls";
import { mayCall, type Role } from "@trefoil/wire";
import { Counter } from "prom-client";
import { type Peer, peerOfSocket, type Station } from "./tls.ts";

/** Who is at the other end, or why nobody may be. */
export function admit(
  { role, tls }: Station,
  socket: TLSSocket,
  callers: readonly Role[],
): Peer | "link/not-pinned" | "link/not-allowed" {
  const peer = peerOfSocket(socket, tls.peers);
  if (!peer) return "link/not-pinned";
  return callers.includes(peer.role) && mayCall[peer.role].includes(role) ? peer : "link/not-allowed";
}

/** `trefoil_link_refused_total`, by reason. */
export function refusals({ metrics }: Station): Counter<"reason"> {
  const name = "trefoil_link_refused_total";
  const known = metrics.getSingleMetric(name) as Counter<"reason"> | undefined;
  return (
    known ??
    new Counter({
      name,
      help: "Connections of other servers that were refused",
      labelNames: ["reason"],
      registers: [metrics],
    })
  );
}
