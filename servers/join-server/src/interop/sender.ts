/** Whom a message speaks for, and whether its sender may: SenderID must be what the certificate's peer statement names. Pure. */
import type { Header } from "@trefoil/backend-interfaces";
import type { Peer } from "../standing.ts";

/** A NetID or JoinEUI: hexadecimal, 0x and either case allowed (TS002-1.0.0 §8.2). */
export function identifier(text: string, digits: number): string | undefined {
  const hex = text.toLowerCase().replace(/^0x/, "");
  return hex.length === digits && /^[0-9a-f]+$/.test(hex) ? hex : undefined;
}

/**
 * As what the sender speaks; `undefined` where it speaks for somebody else. Where networks share a NetID, the certificate tells them
 * apart, and a SenderNSID that is given must agree (TS002-1.1.0). What is no NSID (8 octets) says nothing.
 */
export function speaksAs(
  { SenderID, SenderNSID }: Header,
  { network, asId }: Peer,
): "network" | "application" | undefined {
  if (asId !== undefined && SenderID === asId) return "application";
  if (network === undefined || identifier(SenderID, 6) !== network.netId) return undefined;
  const contradicts = network.nsId !== undefined && SenderNSID?.length === 16 && SenderNSID !== network.nsId;
  return contradicts ? undefined : "network";
}
