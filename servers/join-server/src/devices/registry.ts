/** The devices that may join, with what must not be lost of them. Reads are synchronous; whatever changes is durable when its promise resolves. */
import type { RootKeyBlobs } from "@trefoil/custody";
import type { Op, Store } from "@trefoil/store";
import type { JoinDevice, MacVersion } from "@trefoil/wire";
import type { Statement } from "../schema.ts";

export type Device = {
  readonly devEui: string;
  readonly joinEui: string;
  readonly macVersion: MacVersion;
  readonly netId: string;
  readonly asId: string;
  readonly blobs: RootKeyBlobs;
  /** Row of its history. */
  readonly history: number;
  readonly lastJoinNonce: number;
  /** -1: none yet. */
  readonly lastDevNonce: number;
};
/** An entry of GET /devices. */
export type JoinDeviceRow = Omit<Device, "blobs" | "history" | "lastDevNonce"> & { readonly lastDevNonce?: number };

export type KeptAnswer = { readonly peer: string; readonly request: Uint8Array; readonly body: string };
export type Claim = KeptAnswer & { readonly device: Device; readonly devNonce: number; readonly joinNonce: number };
export type NewDevice = Omit<JoinDevice, "sealed"> & { readonly blobs: RootKeyBlobs };

type Row = {
  readonly dev_eui: string;
  readonly join_eui: string;
  readonly mac_version: string;
  readonly net_id: string;
  readonly as_id: string;
  readonly blobs: string;
  readonly history: number;
  readonly last_join_nonce: number;
  readonly last_dev_nonce: number;
};
const columns =
  "d.dev_eui, d.join_eui, d.mac_version, d.net_id, d.as_id, d.history, h.last_join_nonce, h.last_dev_nonce";
const from = "FROM device d JOIN history h ON h.history = d.history";

export class Registry {
  readonly #store: Store<Statement>;
  constructor(store: Store<Statement>) {
    this.#store = store;
  }

  byDevEui(devEui: string): Device | undefined {
    const row = this.#store.read<Row>(`SELECT ${columns}, d.blobs ${from} WHERE d.dev_eui = ?`).get(devEui);
    if (row === undefined) return undefined;
    return { ...publicPart(row), blobs: JSON.parse(row.blobs), history: row.history, lastDevNonce: row.last_dev_nonce };
  }

  /** In order of DevEUI, those after `after`. */
  list(after: string, most: number): JoinDeviceRow[] {
    const rows = this.#store
      .read<Row>(`SELECT ${columns} ${from} WHERE d.dev_eui > ? ORDER BY d.dev_eui LIMIT ?`)
      .all(after, most);
    return rows.map((row) => ({
      ...publicPart(row),
      ...(row.last_dev_nonce < 0 ? {} : { lastDevNonce: row.last_dev_nonce }),
    }));
  }

  get count(): number {
    return this.#store.read<{ readonly n: number }>("SELECT count(*) AS n FROM device").get()?.n ?? 0;
  }

  isDevNonceUsed({ history }: Device, devNonce: number): boolean {
    return (
      this.#store.read("SELECT 1 FROM dev_nonce WHERE history = ? AND dev_nonce = ?").get(history, devNonce) !==
      undefined
    );
  }

  answerOf({ history }: Device): KeptAnswer | undefined {
    return this.#store.read<KeptAnswer>("SELECT peer, request, body FROM answer WHERE history = ?").get(history);
  }

  /**
   * DevNonce and JoinNonce are used from here on, and the answer is kept for a repetition. One winner, also across processes:
   * rejects with `store/constraint` where either was used meanwhile.
   */
  async claim({ device: { history }, devNonce, joinNonce, peer, request, body }: Claim): Promise<void> {
    await this.#store.commit([
      { statement: "claimDevNonce", rows: [[history, devNonce, joinNonce]] },
      { statement: "claimJoinNonce", rows: [[history, joinNonce, devNonce]] },
      { statement: "keepAnswer", rows: [[history, peer, request, body]] },
    ]);
  }

  /** Rejects with `store/constraint` when there is one with this DevEUI. */
  async add(device: NewDevice): Promise<void> {
    const { devEui, joinEui, macVersion, netId, asId, blobs, usedDevNonces = [], lastJoinNonce = 0 } = device;
    const lastDevNonce = usedDevNonces.reduce((last, nonce) => Math.max(last, nonce), -1);
    const used: Op<Statement>[] =
      usedDevNonces.length === 0
        ? []
        : [{ statement: "addUsedDevNonce", rows: usedDevNonces.map((nonce) => [devEui, joinEui, nonce]) }];
    await this.#store.commit([
      { statement: "addHistory", rows: [[devEui, joinEui, lastJoinNonce, lastDevNonce]] },
      { statement: "addDevice", rows: [[devEui, joinEui, macVersion, netId, asId, JSON.stringify(blobs)]] },
      ...used,
    ]);
  }

  /** Its history stays. */
  async remove({ devEui, history }: Device, audit: Op<Statement>): Promise<void> {
    await this.#store.commit([
      { statement: "deleteDevice", rows: [[devEui]] },
      { statement: "forgetAnswer", rows: [[history]] },
      audit,
    ]);
  }

  /** Lets a device start again with any DevNonce. JoinNonce goes on. */
  async resetNonces({ history }: Device, audit: Op<Statement>): Promise<void> {
    await this.#store.commit([
      { statement: "forgetDevNonces", rows: [[history]] },
      { statement: "forgetLastDevNonce", rows: [[history]] },
      { statement: "forgetAnswer", rows: [[history]] },
      audit,
    ]);
  }
}

const publicPart = (row: Row) => ({
  devEui: row.dev_eui,
  joinEui: row.join_eui,
  macVersion: row.mac_version as MacVersion,
  netId: row.net_id,
  asId: row.as_id,
  lastJoinNonce: row.last_join_nonce,
});
