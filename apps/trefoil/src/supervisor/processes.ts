/**
 * The processes of the network as a table: in which order they start, and whom each may call. docs/architecture.md draws the same table.
 */
import type { Role } from "@trefoil/wire";

export type ProcessRow = {
  readonly role: Role;
  /** Whom it calls, and the name of the callee's listener. */
  readonly calls: readonly { readonly role: Role; readonly listener: string }[];
};

/** In start order: whoever is called starts before its caller. Stopping goes the other way round. */
export const processes: readonly ProcessRow[] = [
  { role: "vault", calls: [] },
  { role: "join-server", calls: [] },
  { role: "application-server", calls: [] },
  {
    role: "network-server",
    calls: [
      { role: "application-server", listener: "link" },
      { role: "join-server", listener: "interop" },
    ],
  },
  { role: "gateway-server", calls: [{ role: "network-server", listener: "link" }] },
];
