/**
 * Who may hold what (DESIGN §2), as a table that the proof is checked against. What is not listed for a process is forbidden.
 * The supervisor is a process too: it starts everything and may hold nothing.
 */
import type { Role } from "@trefoil/wire";

export const kinds = [
  "root key",
  "join server key",
  "network session key",
  "AppSKey",
  "network KEK",
  "application KEK",
  "payload",
] as const;
export type Kind = (typeof kinds)[number];
export type Holder = Role | "supervisor";

export const mayHold: { readonly [holder in Holder]: readonly Kind[] } = {
  supervisor: [],
  "gateway-server": [],
  "network-server": ["network session key", "network KEK"],
  "application-server": ["AppSKey", "application KEK", "payload"],
  "join-server": [],
  // What it works on, for as long as it works on it (DESIGN §2).
  vault: ["root key", "join server key", "network session key", "AppSKey", "network KEK", "application KEK"],
};

/**
 * What must be found, or the search itself is blind: these servers keep these keys for as long as a session lasts.
 */
export const mustBeFound: readonly (readonly [Holder, Kind])[] = [
  ["network-server", "network session key"],
  ["application-server", "AppSKey"],
];
