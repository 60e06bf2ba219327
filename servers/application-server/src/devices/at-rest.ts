/** AppSKeys as they lie in the store, each under one of this server's KEKs; over to the newest KEK, so that the former can go. */
import { type KekRing, type LabelledKek, unwrapKey, wrapKey } from "@trefoil/custody";
import type { Store } from "@trefoil/store";
import type { HotStatement } from "../schema.ts";
import { unwrapMany, wrappedOctets } from "./unwrap-many.ts";

export type AtRest = { readonly kek_label: string; readonly app_s_key: Uint8Array };
/** The keys, row by row; undefined where none can be read. */
export type UnwrappedRows = { key(n: number): Uint8Array | undefined; wipe(): void };

/** Unwraps many rows at once: nearly always all are under one KEK. */
export function unwrapRows(keks: readonly LabelledKek[], rows: readonly AtRest[]): UnwrappedRows {
  const parts = keks.flatMap(({ label, key }) => {
    const isOf = (row: AtRest) => row.kek_label === label && row.app_s_key.length === wrappedOctets;
    if (!rows.some(isOf)) return [];
    const wrapped = new Uint8Array(Math.max(rows.length, 3) * wrappedOctets);
    for (const [n, row] of rows.entries()) if (isOf(row)) wrapped.set(row.app_s_key, n * wrappedOctets);
    return [{ label, keys: key.expose((kek) => unwrapMany(kek, wrapped)) }];
  });
  return {
    key: (n) => parts.find(({ label }) => label === rows[n]?.kek_label)?.keys.key(n),
    wipe: () => {
      for (const { keys } of parts) keys.octets.fill(0);
    },
  };
}

type Row = AtRest & { readonly device: number; readonly session_key_id: string };
const rowsAtOnce = 1_000;

/** Wraps what lies under a former KEK under the newest. Resolves with the labels that are still needed: of rows that could not be opened. */
export async function rewrapAtRest(store: Store<HotStatement>, keks: KekRing): Promise<ReadonlySet<string>> {
  const { newest } = keks;
  const page = store.read<Row>(
    "SELECT device, session_key_id, kek_label, app_s_key FROM session WHERE (device, session_key_id) > (?1, ?2) AND kek_label NOT IN ('', ?3) ORDER BY device, session_key_id LIMIT ?4",
  );
  const left = new Set<string>();
  for (let last: Row | undefined, rows: Row[]; ; last = rows.at(-1)) {
    rows = page.all(last?.device ?? 0, last?.session_key_id ?? "", newest.label, rowsAtOnce);
    const rewrapped = rows.flatMap((row) => {
      const kek = keks.all.find(({ label }) => label === row.kek_label);
      const key = kek?.key.expose((octets) => unwrapKey(octets, row.app_s_key));
      if (key === undefined) {
        left.add(row.kek_label);
        return [];
      }
      const wrapped = newest.key.expose((octets) => wrapKey(octets, key));
      key.fill(0);
      return [[row.device, row.session_key_id, newest.label, Buffer.from(wrapped)]];
    });
    if (rewrapped.length > 0) await store.commit([{ statement: "setKey", rows: rewrapped }]);
    if (rows.length < rowsAtOnce) return left;
  }
}
