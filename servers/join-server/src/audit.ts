/** What was done, or tried, that somebody may ask about years later. Rows are only ever added; triggers of the schema see to it. */
import type { Op, Store } from "@trefoil/store";
import type { Statement } from "./schema.ts";

/** What the owner or an administrator did, or this server found out by itself: each is a row. */
export type AuditKind =
  | "device/deleted"
  | "device/nonces-reset"
  | "device/exported"
  | "export/refused"
  | "statement/admitted"
  | "store/older-than-vault"
  | "store/restored"
  | "vault/older-than-store";
/** What others can cause at will: rows are limited. */
export type NotedKind =
  | "interop/error-notified"
  | "interop/limited"
  | "interop/malformed"
  | "interop/misaddressed"
  | "interop/not-served"
  | "interop/protocol-version"
  | "interop/too-large"
  | "interop/unasked-answer"
  | "interop/unknown-peer"
  | "interop/unknown-sender"
  | "join/foreign-device"
  | "join/mic-failed"
  | "join/replayed"
  | "join/vault-refused"
  | "session/foreign"
  | "statement/refused";
export type AuditRow = {
  readonly entry: number;
  readonly at: number;
  readonly kind: string;
  readonly devEui?: string;
  readonly detail: unknown;
};
export type Detail = { readonly [name: string]: string | number };

/**
 * Whoever tries the same again and again writes one row in this time; each peer so many of one kind, and all strangers together as many as
 * one peer: who makes a noise hides nobody else.
 */
const windowMs = 60_000;
const mostNotedInWindow = 100;

export class Audit {
  readonly #store: Store<Statement>;
  readonly #now: () => number;
  readonly #onFault: (fault: unknown) => void;
  readonly #latest = new Map<string, number>();
  #window = { since: Number.NEGATIVE_INFINITY, noted: new Map<string, number>(), heldBack: 0 };

  constructor(store: Store<Statement>, onFault: (fault: unknown) => void = () => {}, now: () => number = Date.now) {
    this.#store = store;
    this.#onFault = onFault;
    this.#now = now;
  }

  /** To be committed together with what it tells of. */
  entry(kind: AuditKind, devEui: string | null, detail: Detail): Op<Statement> {
    return this.#row(kind, devEui, detail);
  }

  async write(kind: AuditKind, devEui: string | null, detail: Detail): Promise<void> {
    await this.#store.commit([this.entry(kind, devEui, detail)]);
  }

  /** Waits for nothing: whether a row was written must not be seen in the time that an answer takes. */
  note(kind: NotedKind, devEui: string | null, detail: Detail): void {
    const now = this.#now();
    const what = JSON.stringify([kind, devEui, detail]);
    if (now - (this.#latest.get(what) ?? Number.NEGATIVE_INFINITY) < windowMs) return;
    const rows: Op<Statement>[] = this.#openWindow(now);
    const { noted } = this.#window;
    const budget = `${kind} ${detail.peer ?? ""}`;
    const already = noted.get(budget) ?? 0;
    if (already >= mostNotedInWindow) this.#window.heldBack += 1;
    else {
      noted.set(budget, already + 1);
      if (this.#latest.size >= 10_000) this.#latest.clear();
      this.#latest.set(what, now);
      rows.push(this.#row(kind, devEui, detail));
    }
    if (rows.length > 0) this.#store.commit(rows).catch(this.#onFault);
  }

  /** A new minute begins with how many rows the last one had no room for. */
  #openWindow(now: number): Op<Statement>[] {
    if (now - this.#window.since < windowMs) return [];
    const { heldBack } = this.#window;
    this.#window = { since: now, noted: new Map(), heldBack: 0 };
    return heldBack === 0 ? [] : [this.#row("audit/held-back", null, { rows: heldBack })];
  }

  #row(kind: AuditKind | NotedKind | "audit/held-back", devEui: string | null, detail: Detail): Op<Statement> {
    return { statement: "audit", rows: [[this.#now(), kind, devEui, JSON.stringify(detail)]] };
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
