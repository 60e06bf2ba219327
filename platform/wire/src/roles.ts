/** The processes of the LoRaWAN network reference model, as Trefoil splits them (docs/architecture.md). */
export const roles = ["gateway-server", "network-server", "application-server", "join-server", "vault"] as const;
export type Role = (typeof roles)[number];

/**
 * Who may open a connection to whom. The same table is drawn in docs/architecture.md, pinned in certificates by
 * `trefoil init` (peers.json), and tried from both sides in tests.
 */
export const mayCall: { readonly [caller in Role]: readonly Role[] } = {
  "gateway-server": ["network-server"],
  "network-server": ["application-server", "join-server"],
  "application-server": ["join-server"],
  "join-server": [],
  vault: [],
};
