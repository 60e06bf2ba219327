/** The devices that may join. Reads are synchronous; whatever changes is durable when its promise resolves. */
import type { RootKeyBlobs } from "@trefoil/custody";
import type { Op, Store } from "@trefoil/store";
import type { DeviceId, JoinDevice, Provenance } from "@trefoil/wire";
import type { Statement } from "../schema.ts";
import { type Claim, claimOps, type KeptAnswer, type KeptSession, sessionsOf } from "./claim.ts";
import { type Device, deviceOf, deviceOp, type History, historyOf, historyOp, type Row } from "./device.ts";

export type NewDevice = Omit<JoinDevice, "sealed" | "origin" | "provision"> & {
  readonly blobs: RootKeyBlobs;
  readonly provenance: Provenance;
};

const columns =
  "d.dev_eui, d.join_eui, d.mac_version, d.provenance, d.blobs, d.history, h.last_join_nonce, h.last_dev_nonce, h.rj_count0, h.rj_count1";
const from = "FROM device d JOIN history h ON h.history = d.history";
// Whole texts, made once: the store finds its prepared queries by them.
const queries = {
  byDevEui: `SELECT ${columns} ${from} WHERE d.dev_eui = ?`,
  list: `SELECT ${columns} ${from} WHERE d.dev_eui > ? ORDER BY d.dev_eui LIMIT ?`,
} as const;

export class Registry {
  readonly #store: Store<Statement>;
  constructor(store: Store<Statement>) {
    this.#store = store;
  }

  byDevEui(devEui: string): Device | undefined {
    const row = this.#store.read<Row>(queries.byDevEui).get(devEui);
    return row && deviceOf(row);
  }

  /** In order of DevEUI, those after `after`. */
  list(after: string, most: number): Device[] {
    return this.#store.read<Row>(queries.list).all(after, most).map(deviceOf);
  }

  get count(): number {
    return this.#store.read<{ readonly n: number }>("SELECT count(*) AS n FROM device").get()?.n ?? 0;
  }

  /** Of a device that has no row: it may have had one. */
  historyOf({ devEui, joinEui }: DeviceId): (History & { readonly history: number }) | undefined {
    const row = this.#store.read<Row>("SELECT * FROM history WHERE dev_eui = ? AND join_eui = ?").get(devEui, joinEui);
    return row && { history: row.history, ...historyOf(row) };
  }

  /** Below it a device that this store does not know may have seen every JoinNonce: before a backup was put back. */
  get joinNonceFloor(): number {
    const row = this.#store
      .read<{ readonly floor: number | null }>("SELECT max(join_nonce_floor) AS floor FROM restored")
      .get();
    return row?.floor ?? 0;
  }

  isRestoreKnown(at: number): boolean {
    return this.#store.read("SELECT 1 FROM restored WHERE at = ?").get(at) !== undefined;
  }

  isDevNonceUsed({ history }: Device, devNonce: number): boolean {
    return (
      history !== undefined &&
      this.#store.read("SELECT 1 FROM dev_nonce WHERE history = ? AND dev_nonce = ?").get(history, devNonce) !==
        undefined
    );
  }

  isFrameUsed({ history }: Device, frame: Uint8Array): boolean {
    return (
      history !== undefined &&
      this.#store.read("SELECT 1 FROM rejoin WHERE history = ? AND frame = ?").get(history, frame) !== undefined
    );
  }

  usedDevNonces({ history }: Device): number[] {
    if (history === undefined) return [];
    return this.#store
      .read<{ readonly n: number }>("SELECT dev_nonce AS n FROM dev_nonce WHERE history = ? ORDER BY dev_nonce")
      .all(history)
      .map(({ n }) => n);
  }

  answerOf({ history }: Device): KeptAnswer | undefined {
    if (history === undefined) return undefined;
    return this.#store
      .read<KeptAnswer>("SELECT peer, request, body, sessions FROM answer WHERE history = ?")
      .get(history);
  }

  sessionOf(device: Device, sessionKeyId: string): KeptSession | undefined {
    return sessionsOf(this.answerOf(device)).find((session) => session.sessionKeyId === sessionKeyId);
  }

  /** The last entry of a chain of the vault's audit log that this store knows of. */
  vaultEntryOf(instance: number): { readonly entry: number; readonly hash?: string } {
    const row = this.#store
      .read<{ readonly entry: number; readonly hash: string }>("SELECT entry, hash FROM vault_entry WHERE instance = ?")
      .get(instance);
    return row ?? { entry: 0 };
  }

  get knownInstances(): number[] {
    return this.#store
      .read<{ readonly instance: number }>("SELECT instance FROM vault_entry ORDER BY instance")
      .all()
      .map(({ instance }) => instance);
  }

  /**
   * Nonce and JoinNonce are used from here on, and the answer is kept for a repetition. One winner, also across processes:
   * rejects with `store/constraint` where either was used meanwhile. A device without a row gets one by its first claim.
   */
  async claim(claim: Claim): Promise<void> {
    const { ops, claiming } = claimOps(claim);
    const { changes } = await this.#store.commit(ops);
    if (claiming.some((at) => changes[at]?.[0] !== 1)) throw new TypeError("a claim changed nothing");
  }

  /** Rejects with `store/constraint` when there is one with this DevEUI. */
  async add({ usedDevNonces = [], ...device }: NewDevice): Promise<void> {
    // Field by field: what else a row of an import has is not kept.
    const { devEui, joinEui, macVersion, lastJoinNonce = 0, rjCount0 = -1, rjCount1 = -1, blobs, provenance } = device;
    const lastDevNonce = usedDevNonces.reduce((last, nonce) => Math.max(last, nonce), -1);
    const row: Device = {
      ...{ devEui, joinEui, macVersion, blobs, provenance },
      ...{ lastJoinNonce: Math.max(lastJoinNonce, this.joinNonceFloor), lastDevNonce, rjCount0, rjCount1 },
    };
    const used: Op<Statement>[] =
      usedDevNonces.length === 0
        ? []
        : [{ statement: "addUsedDevNonce", rows: usedDevNonces.map((nonce) => [devEui, joinEui, nonce]) }];
    await this.#store.commit([historyOp(row), deviceOp(row), ...used]);
  }

  /** Its history stays. */
  async remove({ devEui, history }: Device, audit: Op<Statement>): Promise<void> {
    await this.#store.commit([
      { statement: "deleteDevice", rows: [[devEui]] },
      { statement: "deleteAnswer", rows: [[history ?? -1]] },
      audit,
    ]);
  }

  /** Lets a device start again with any DevNonce. JoinNonce and the rejoin counters go on. */
  async resetNonces({ history }: Device, audit: Op<Statement>): Promise<void> {
    await this.#store.commit([
      { statement: "forgetDevNonces", rows: [[history ?? -1]] },
      { statement: "forgetLastDevNonce", rows: [[history ?? -1]] },
      { statement: "forgetAnswer", rows: [[history ?? -1]] },
      audit,
    ]);
  }
}
