/**
 * Which session of a device counts, in memory and as rows to commit. A join makes a pending session; its first uplink makes
 * it the current one and ends the former (DESIGN §4). Keys of ended sessions stay in the store while the log has their uplinks.
 */
import { type KekRing, type Key, openEnvelope, unwrapKey, wrapEnvelope } from "@trefoil/custody";
import { type KeySchedule, KeyScheduleCache } from "@trefoil/lorawan";
import type { Op, Store } from "@trefoil/store";
import type { KeyEnvelope } from "@trefoil/wire";
import type { HotStatement } from "../schema.ts";
import { type AtRest, unwrapRows } from "./at-rest.ts";
import { type DeviceTable, none } from "./device-table.ts";
import { rowsAtOnce } from "./load.ts";
import { SessionTable } from "./session-table.ts";

export type Ops = Op<HotStatement>[];
type SessionRow = AtRest & { readonly device: number; readonly session_key_id: string; readonly is_current: number };
/** Undefined, or why the key cannot be used. */
export type Refused = string | undefined;

export class SessionBook {
  readonly #devices: DeviceTable;
  readonly #store: Store<HotStatement>;
  readonly #keks: KekRing;
  readonly #sessions = new SessionTable();
  /** Of ended sessions whose uplinks somebody reads late. */
  readonly #ended = new KeyScheduleCache<string>(64);

  constructor(devices: DeviceTable, store: Store<HotStatement>, keks: KekRing) {
    this.#devices = devices;
    this.#store = store;
    this.#keks = keks;
    const page = store.read<SessionRow>(
      "SELECT device, session_key_id, kek_label, app_s_key, is_current FROM session " +
        "WHERE (device, session_key_id) > (?1, ?2) AND ended_position IS NULL ORDER BY device, session_key_id LIMIT ?3",
    );
    for (let last: SessionRow | undefined, rows: SessionRow[]; ; last = rows.at(-1)) {
      rows = page.all(last?.device ?? 0, last?.session_key_id ?? "", rowsAtOnce);
      this.#load(rows);
      if (rows.length < rowsAtOnce) break;
    }
  }

  get size(): number {
    return this.#sessions.size;
  }

  /**
   * A join: `ops` get what is to be committed at `position`. Without an envelope the session is known, and takes its turn as any other,
   * but cannot be read until `fill`.
   */
  join(device: number, sessionKeyId: string, envelope: KeyEnvelope | undefined, position: number, ops: Ops): Refused {
    const known = this.find(device, sessionKeyId);
    if (known !== none && known === this.#devices.current(device)) return undefined; // It was told before.
    const opened = envelope === undefined ? undefined : this.#open(envelope);
    if (opened?.result === "refused") return opened.code;
    const atRest = [envelope?.kekLabel ?? "", Buffer.from(envelope?.aesKey ?? "", "hex")];
    ops.push({ statement: "insertSession", rows: [[device, sessionKeyId, ...atRest]] });
    ops.push({ statement: "endPending", rows: [[device, sessionKeyId, position]] });
    if (known === none) this.#addPending(device, sessionKeyId, opened?.key);
    opened?.key[Symbol.dispose]();
    return undefined;
  }

  /** The key of a session that a join made without one: `ops` get what is to be committed. */
  fill(device: number, sessionKeyId: string, envelope: KeyEnvelope, ops: Ops): Refused {
    const opened = this.#open(envelope);
    if (opened.result === "refused") return opened.code;
    const wrapped = Buffer.from(envelope.aesKey, "hex");
    ops.push({ statement: "setKey", rows: [[device, sessionKeyId, envelope.kekLabel, wrapped]] });
    const slot = this.find(device, sessionKeyId);
    if (slot !== none) opened.key.expose((key) => this.#sessions.setKey(slot, key));
    opened.key[Symbol.dispose]();
    return undefined;
  }

  /** The row of a personalised device's session. Call `load` when it is committed. */
  wrap(device: number, sessionKeyId: string, key: Key<"AppSKey">): SessionRow {
    const { kekLabel, aesKey } = wrapEnvelope(this.#keks.newest, key);
    const wrapped = Buffer.from(aesKey, "hex");
    return { device, session_key_id: sessionKeyId, kek_label: kekLabel, app_s_key: wrapped, is_current: 1 };
  }
  load(row: SessionRow): void {
    this.#load([row]);
  }

  /** An uplink under this session: true where it can be read. */
  heard(device: number, sessionKeyId: string, position: number, ops: Ops): boolean {
    const current = this.#devices.current(device);
    if (current !== none && this.#sessions.is(current, sessionKeyId)) return this.#sessions.hasKey(current);
    const pending = this.#devices.pending(device);
    if (pending === none || !this.#sessions.is(pending, sessionKeyId))
      return this.schedule(device, sessionKeyId) !== undefined;
    ops.push({ statement: "makeCurrent", rows: [[device, sessionKeyId]] });
    ops.push({ statement: "endOthers", rows: [[device, sessionKeyId, position]] });
    if (current !== none) this.#sessions.remove(current);
    this.#devices.setSessions(device, pending, none);
    return this.#sessions.hasKey(pending);
  }

  /** The slot of a session that counts (current or pending), or `none`. */
  find(device: number, sessionKeyId: string): number {
    const current = this.#devices.current(device);
    if (current !== none && this.#sessions.is(current, sessionKeyId)) return current;
    const pending = this.#devices.pending(device);
    return pending !== none && this.#sessions.is(pending, sessionKeyId) ? pending : none;
  }

  /** The AppSKey of any session that is still known, ended ones included. */
  schedule(device: number, sessionKeyId: string): KeySchedule | undefined {
    const slot = this.find(device, sessionKeyId);
    if (slot !== none) return this.#sessions.schedule(slot);
    const id = `${device}/${sessionKeyId}`;
    return this.#ended.peek(id) ?? this.#readEnded(id, device, sessionKeyId);
  }

  /** The device is gone. */
  forget(device: number): void {
    for (const slot of [this.#devices.current(device), this.#devices.pending(device)])
      if (slot !== none) this.#sessions.remove(slot);
    this.#devices.setSessions(device, none, none);
  }

  #setPending(device: number, slot: number): void {
    const former = this.#devices.pending(device);
    if (former !== none) this.#sessions.remove(former);
    this.#devices.setSessions(device, this.#devices.current(device), slot);
  }

  #open(envelope: KeyEnvelope) {
    const opened = openEnvelope(this.#keks.all, envelope, "AppSKey");
    if (opened.result === "opened") this.#keks.used(envelope.kekLabel);
    return opened;
  }

  #addPending(device: number, sessionKeyId: string, key: Key<"AppSKey"> | undefined): void {
    const add = (octets?: Uint8Array) => this.#sessions.add(device, sessionKeyId, octets);
    this.#setPending(device, key === undefined ? add() : key.expose(add));
  }

  #load(rows: readonly SessionRow[]): void {
    const keys = unwrapRows(this.#keks.all, rows);
    for (const [n, { device, session_key_id, is_current }] of rows.entries()) {
      if (!this.#devices.has(device)) continue;
      const slot = this.#sessions.add(device, session_key_id, keys.key(n));
      if (is_current === 1) this.#devices.setSessions(device, slot, this.#devices.pending(device));
      else this.#setPending(device, slot);
    }
    keys.wipe();
  }

  #readEnded(id: string, device: number, sessionKeyId: string): KeySchedule | undefined {
    const row = this.#store
      .read<SessionRow>("SELECT app_s_key, kek_label FROM session WHERE device = ? AND session_key_id = ?")
      .get(device, sessionKeyId);
    const kek = this.#keks.all.find(({ label }) => label === row?.kek_label);
    if (row === undefined || kek === undefined) return undefined;
    const key = kek.key.expose((octets) => unwrapKey(octets, row.app_s_key));
    if (key === undefined) return undefined;
    const schedule = this.#ended.get(id, () => key);
    key.fill(0);
    return schedule;
  }
}
