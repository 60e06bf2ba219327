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
  { role: "application-server", calls: [{ role: "join-server", listener: "interop" }] },
  {
    role: "network-server",
    calls: [
      { role: "application-server", listener: "link" },
      { role: "join-server", listener: "interop" },
    ],
  },
  { role: "gateway-server", calls: [{ role: "network-server", listener: "link" }] },
];

/** What a data folder is for: a whole network, or a Join Server alone, beside a network of somebody else. */
export type Deployment = "network" | "join-server";
export const rolesOf = {
  network: processes.map(({ role }) => role),
  "join-server": ["vault", "join-server"],
} as const satisfies { readonly [deployment in Deployment]: readonly Role[] };

/** A process among those that run: its role, and for the second process of the vault and those after it its number. */
export type ProcessName = Role | `vault-${number}`;
export type ProcessToRun = ProcessRow & { readonly name: ProcessName; readonly instance: number };

/** The processes of a deployment in start order, the vault as often as configured. */
export const processesOf = (deployment: Deployment, vaults: number): readonly ProcessToRun[] =>
  processes
    .filter(({ role }) => (rolesOf[deployment] as readonly Role[]).includes(role))
    .flatMap((row) =>
      Array.from({ length: row.role === "vault" ? vaults : 1 }, (_, instance) => ({
        ...row,
        instance,
        name: instance === 0 ? row.role : (`vault-${instance}` as const),
      })),
    );
