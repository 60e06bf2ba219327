/**
 * The vault's audit log as an anchor (DESIGN §4): each claim is kept with the entry that the vault wrote for it, so that a store that is older
 * than the vault, because a backup was put back, is found out. The nonces that it lost are taken in before the first join is served:
 * used DevNonces stay used, and JoinNonce goes on.
 */
import type { UsedNonces, Vault } from "@trefoil/custody";
import type { Op, Store } from "@trefoil/store";
import type { Audit } from "./audit.ts";
import type { Registry } from "./devices/registry.ts";
import type { Statement } from "./schema.ts";

export type AnchorPorts = {
  readonly store: Pick<Store<Statement>, "commit">;
  readonly registry: Registry;
  readonly audit: Audit;
};

/** Takes in what one process of the vault knows and this store does not. How many joins that were. */
export async function takeInLostNonces(instance: number, vault: Vault, ports: AnchorPorts): Promise<number> {
  const { store, registry, audit } = ports;
  const known = registry.vaultEntryOf(instance);
  const { auditEntry } = await vault.status({});
  if (auditEntry < known) {
    // Another vault, or one whose folder was put back: its chain is shorter than what it once answered.
    await store.commit([
      { statement: "correctVaultEntry", rows: [[instance, auditEntry]] },
      audit.entry("vault/older-than-store", null, { instance, entry: auditEntry, known }),
    ]);
    return 0;
  }
  let lost = 0;
  for (let after = known; ; ) {
    const uses = await vault.usesSince({ entry: after });
    const last = uses.at(-1);
    if (last === undefined) break;
    await store.commit([...takeIn(uses), { statement: "knowVaultEntry", rows: [[instance, last.entry]] }]);
    lost += uses.length;
    after = last.entry;
  }
  if (lost > 0) await audit.write("store/older-than-vault", null, { instance, after: known, joins: lost });
  return lost;
}

function takeIn(uses: readonly UsedNonces[]): Op<Statement>[] {
  const joins = uses.filter(({ request }) => request === "join");
  const counts = ({ request, nonce }: UsedNonces): [devNonce: number, rjCount0: number, rjCount1: number] =>
    request === "join" ? [nonce, -1, -1] : request === 1 ? [-1, -1, nonce] : [-1, nonce, -1];
  return [
    {
      statement: "addHistory",
      rows: uses.map((use) => [use.devEui, use.joinEui, use.joinNonce, ...counts(use)]),
    },
    ...(joins.length === 0
      ? []
      : [
          {
            statement: "addUsedDevNonce" as const,
            rows: joins.map(({ devEui, joinEui, nonce }) => [devEui, joinEui, nonce]),
          },
        ]),
  ];
}
