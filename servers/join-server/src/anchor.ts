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

/**
 * Takes in what the vault's audit log knows and this store does not: of every chain, also those of processes that are no more. How many joins
 * that were.
 */
export async function takeInLostNonces(vault: Vault, ports: AnchorPorts): Promise<number> {
  const { chains } = await vault.status({});
  let lost = 0;
  for (const instance of new Set([...chains, ...ports.registry.knownInstances]))
    lost += await takeInChain(instance, vault, ports);
  return lost;
}

async function takeInChain(instance: number, vault: Vault, { store, registry, audit }: AnchorPorts): Promise<number> {
  const known = registry.vaultEntryOf(instance);
  let since: { readonly entry: number; readonly hash?: string } = known;
  let lost = 0;
  for (;;) {
    const { isKnown, uses, upTo } = await vault.usesSince({ instance, ...since });
    if (!isKnown) {
      // The log was cut, put back or written anew since it answered this store: said, and then all that it has is taken in.
      await audit.write("vault/older-than-store", null, { instance, known: since.entry });
      since = { entry: 0 };
      await store.commit([{ statement: "correctVaultEntry", rows: [[instance, 0, ""]] }]);
      continue;
    }
    if (upTo.entry > since.entry)
      await store.commit([
        ...(uses.length > 0 ? takeIn(uses) : []),
        { statement: "knowVaultEntry", rows: [[instance, upTo.entry, upTo.hash]] },
      ]);
    lost += uses.length;
    if (upTo.entry === since.entry) break;
    since = upTo;
  }
  if (lost > 0) await audit.write("store/older-than-vault", null, { instance, after: known.entry, joins: lost });
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
