/** What was done, or tried, that somebody may ask about years later. Rows are only ever added; triggers of the schema see to it. */
import type { Op, Store } from "@trefoil/store";
import type { Statement } from "./schema.ts";

export type AuditKind =
  | "device/deleted"
  | "device/nonces-reset"
  | "join/foreign-device"
  | "join/unknown-sender"
  | "registration/accepted"
  | "registration/refused";
export type AuditRow = {
  readonly entry: number;
  readonly at: number;
  readonly kind: string;
  readonly devEui?: string;
  readonly detail: unknown;
};
type Detail = { readonly [name: string]: string | number };

/** A peer that tries the same again and again writes one row in this time. */
const sameAgainAfterMs = 60_000;

export class Audit {
  readonly #store: Store<Statement>;
  readonly #now: () => number;
  readonly #latest = new Map<string, number>();

  constructor(store: Store<Statement>, now: () => number = Date.now) {
    this.#store = store;
    this.#now = now;
  }

  /** To be committed together with what it tells of. */
  entry(kind: AuditKind, devEui: string | null, detail: Detail): Op<Statement> {
    return { statement: "audit", rows: [[this.#now(), kind, devEui, JSON.stringify(detail)]] };
  }

  async write(kind: AuditKind, devEui: string | null, detail: Detail): Promise<void> {
    await this.#store.commit([this.entry(kind, devEui, detail)]);
  }

  /** For what somebody else can cause at will. */
  async writeOnce(kind: AuditKind, devEui: string | null, detail: Detail): Promise<void> {
    const now = this.#now();
    const what = JSON.stringify([kind, devEui, detail]);
    if (now - (this.#latest.get(what) ?? Number.NEGATIVE_INFINITY) < sameAgainAfterMs) return;
    if (this.#latest.size >= 10_000) this.#latest.clear();
    this.#latest.set(what, now);
    await this.write(kind, devEui, detail);
  }

  list(after: number, most: number): AuditRow[] {
    const rows = this.#store
      .read<{ entry: number; at: number; kind: string; dev_eui: string | null; detail: string }>(
        "SELECT * FROM audit WHERE entry > ? ORDER BY entry LIMIT ?",
      )
      .all(after, most);
    return rows.map(({ entry, at, kind, dev_eui, detail }) => ({
      entry,
      at,
      kind,
      ...(dev_eui === null ? {} : { devEui: dev_eui }),
      detail: JSON.parse(detail),
    }));
  }
}
