/** Peers and where devices can be assigned to, from the owner's own statements: no server's word is asked. */
import type { NetworkId, PeerStatement, Statement } from "@trefoil/wire";
import { UserError } from "../commands/output.ts";
import type { RealmRecord } from "./record.ts";

/** The last statement about each peer, by its certificate's key; revoked ones too. */
export function peersIn(statements: readonly Statement[]): readonly PeerStatement[] {
  const byKey = new Map<string, PeerStatement>();
  for (const statement of statements) if (statement.kind === "peer") byKey.set(statement.certificate, statement);
  return [...byKey.values()];
}

/** The peers of this name that are not revoked: one, or during a change of certificates several. */
export function peersNamed(statements: readonly Statement[], name: string): readonly PeerStatement[] {
  const standing = peersIn(statements).filter((peer) => !peer.revoked);
  const found = standing.filter((peer) => peer.name === name);
  if (found.length > 0) return found;
  const known = [...new Set(standing.map((peer) => peer.name))];
  throw new UserError(
    "peer/unknown",
    `there is no peer "${name}"; known are ${known.length === 0 ? "none yet" : known.join(", ")}`,
  );
}

export type Destination = { readonly network: NetworkId; readonly asId: string };
/** The realm's own network and application server. */
export const home = "home";
/** Whom no keys are wrapped for. */
export const nobody = "nobody";

/** Where `--to` (and `--application-server`) send a device; `undefined` for nobody. */
export function destinationOf(
  statements: readonly Statement[],
  record: RealmRecord,
  to: string,
  applicationServer: string | undefined,
): Destination | undefined {
  if (to === nobody) return undefined;
  const network = to === home ? record.network : peersNamed(statements, to).find((peer) => peer.network)?.network;
  if (!network) throw new UserError("peer/no-network", `${to} is no network server: no device can be moved to it`);
  const asId =
    applicationServer === undefined
      ? to === home
        ? record.asId
        : peersNamed(statements, to).find((peer) => peer.asId)?.asId
      : asIdOf(statements, record, applicationServer);
  if (asId === undefined) {
    throw new UserError(
      "peer/no-application-server",
      `${to} speaks for no AS-ID: name whose application server gets the data with --application-server NAME${record.asId === undefined ? "" : ` (${home}: your own)`}`,
    );
  }
  return { network, asId };
}

const asIdOf = (statements: readonly Statement[], record: RealmRecord, name: string): string | undefined =>
  name === home ? record.asId : peersNamed(statements, name).find((peer) => peer.asId)?.asId;
