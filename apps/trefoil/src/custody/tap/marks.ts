/**
 * The marked points: moments of joins and of traffic, each seen as a message that one process has just sent or got. There it stands still, all
 * others are stopped, and everything is searched.
 */
import type { Role } from "@trefoil/wire";

export type MarkRow = {
  readonly name: string;
  readonly role: Role;
  readonly direction: "out" | "in";
  /** What its message has in it: all of these. */
  readonly says: readonly string[];
  /** Marks of joins are wanted for each kind of join; marks of traffic once. */
  readonly of: "join" | "traffic";
};

const join = (name: string, role: Role, direction: "out" | "in", ...says: string[]): MarkRow => ({
  ...{ name, role, direction, says },
  of: "join",
});
const traffic = (name: string, role: Role, direction: "out" | "in", ...says: string[]): MarkRow => ({
  ...{ name, role, direction, says },
  of: "traffic",
});

export const marks: readonly MarkRow[] = [
  join("the network-server has asked the join-server", "network-server", "out", '"PHYPayload":', 'joinReq"'),
  join("the join-server has read the request", "join-server", "in", '"PHYPayload":', 'joinReq"'),
  join("the join-server has asked the vault", "join-server", "out", '"joinNonce":', '"devAddr":'),
  join("the join-server has the vault's answer", "join-server", "in", '"joinAccept":'),
  join("the join-server has committed and answers", "join-server", "out", '"PHYPayload":', 'joinAns"'),
  join("the network-server has the answer", "network-server", "in", '"PHYPayload":', 'joinAns"'),
  join("the network-server tells the application-server", "network-server", "out", '"is":"join"'),
  join("the application-server has the join", "application-server", "in", '"is":"join"'),
  traffic("the gateway-server passes an uplink on", "gateway-server", "out", '"method":"uplinks"'),
  traffic("the network-server passes an uplink on", "network-server", "out", '"is":"uplink"'),
  traffic("the application-server has published an uplink", "application-server", "out", '"frm_payload":'),
  traffic("the application-server has been given a downlink", "application-server", "in", '"downlinks":'),
  traffic("the application-server offers a downlink", "application-server", "out", "downlink.offer"),
  traffic("the network-server has a downlink sent", "network-server", "out", '"method":"transmit"', '"class-a"'),
];

/** Whatever the case of the letters: JoinReq and RejoinReq alike. */
export function saysAll(message: Buffer, { says }: MarkRow): boolean {
  const text = message.toString("latin1").toLowerCase();
  return says.every((wanted) => text.includes(wanted.toLowerCase()));
}
