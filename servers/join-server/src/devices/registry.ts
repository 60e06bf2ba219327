/** The devices that may join, with what must not be lost of them. Reads are synchronous; whatever changes is durable when its promise resolves. */
import type { RootKeyBlobs, Use } from "@trefoil/custody";
import type { Op, Store } from "@trefoil/store";
import type { DeviceId, JoinDevice, KeyEnvelope, MacVersion, Provenance } from "@trefoil/wire";
import type { Statement } from "../schema.ts";

/** -1 in a counter: none yet. */
export type History = {
  readonly lastJoinNonce: number;
  readonly lastDevNonce: number;
  readonly rjCount0: number;
  readonly rjCount1: number;
};
export const noHistory: History = { lastJoinNonce: 0, lastDevNonce: -1, rjCount0: -1, rjCount1: -1 };

export type Device = DeviceId &
  History & {
    readonly macVersion: MacVersion;
    readonly provenance: Provenance;
    /** Absent: derived from a master key. */
    readonly blobs?: RootKeyBlobs;
    /** Row of its history; absent: it has none yet. */
    readonly history?: number;
    /** It has no row of its own yet: the first claim makes one. */
    readonly unregistered?: true;
  };
/** An entry of GET /devices. */
export type JoinDeviceRow = DeviceId & {
  readonly macVersion: MacVersion;
  readonly provenance: Provenance;
  readonly lastJoinNonce: number;
  readonly lastDevNonce?: number;
  readonly rjCount0?: number;
  readonly rjCount1?: number;
};

/** A session whose AppSKey can still be asked for. */
export type KeptSession = { readonly sessionKeyId: string; readonly asId: string; readonly appSKey: KeyEnvelope };
export type KeptAnswer = {
  readonly peer: string;
  readonly request: Uint8Array;
  readonly body: string;
  /** JSON KeptSession[], the latest first. */
  readonly sessions: string;
};
/** What a request uses up for ever. */
export type Nonce =
  | { readonly request: "join"; readonly devNonce: number }
  | { readonly request: 0 | 2; readonly rjCount: number; readonly frame: Uint8Array }
  | { readonly request: 1; readonly rjCount: number };
export type Claim = Omit<KeptAnswer, "sessions"> & {
  readonly device: Device;
  /** The answer that it replaces, as it was read: JoinNonce sees to it that nobody else replaced it meanwhile. */
  readonly kept: KeptAnswer | undefined;
  readonly nonce: Nonce;
  readonly joinNonce: number;
  readonly session: KeptSession;
  /** The entry of the vault's audit log that this claim answers to. */
  readonly use: Use;
};
export type NewDevice = Omit<JoinDevice, "sealed" | "origin" | "provision"> & {
  readonly blobs: RootKeyBlobs;
  readonly provenance: Provenance;
};

/** Sessions of one device whose AppSKey can still be asked for. */
const keptSessions = 4;

type Row = {
  readonly dev_eui: string;
  readonly join_eui: string;
  readonly mac_version: string;
  readonly provenance: string;
  readonly blobs: string | null;
  readonly history: number;
  readonly last_join_nonce: number;
  readonly last_dev_nonce: number;
  readonly rj_count0: number;
  readonly rj_count1: number;
};
const columns =
  "d.dev_eui, d.join_eui, d.mac_version, d.provenance, d.blobs, d.history, h.last_join_nonce, h.last_dev_nonce, h.rj_count0, h.rj_count1";
const from = "FROM device d JOIN history h ON h.history = d.history";

export class Registry {
  readonly #store: Store<Statement>;
  constructor(store: Store<Statement>) {
    this.#store = store;
  }

  byDevEui(devEui: string): Device | undefined {
    const row = this.#store.read<Row>(`SELECT ${columns} ${from} WHERE d.dev_eui = ?`).get(devEui);
    return row && deviceOf(row);
  }

  /** In order of DevEUI, those after `after`. */
  list(after: string, most: number): Device[] {
    return this.#store
      .read<Row>(`SELECT ${columns} ${from} WHERE d.dev_eui > ? ORDER BY d.dev_eui LIMIT ?`)
      .all(after, most)
      .map(deviceOf);
  }

  get count(): number {
    return this.#store.read<{ readonly n: number }>("SELECT count(*) AS n FROM device").get()?.n ?? 0;
  }

  /** Of a device that has no row: it may have had one. */
  historyOf({ devEui, joinEui }: DeviceId): (History & { readonly history: number }) | undefined {
    const row = this.#store.read<Row>("SELECT * FROM history WHERE dev_eui = ? AND join_eui = ?").get(devEui, joinEui);
    return row && { history: row.history, ...historyOf(row) };
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

  vaultEntryOf(instance: number): number {
    const row = this.#store
      .read<{ readonly entry: number }>("SELECT entry FROM vault_entry WHERE instance = ?")
      .get(instance);
    return row?.entry ?? 0;
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
  async claim({ device, nonce, joinNonce, peer, request, body, kept, session, use }: Claim): Promise<void> {
    const { devEui, joinEui } = device;
    const sessions = JSON.stringify([session, ...sessionsOf(kept).slice(0, keptSessions - 1)]);
    const claims: Op<Statement>[] = [
      ...claimOps(device, nonce, joinNonce),
      { statement: "keepAnswer", rows: [[devEui, joinEui, peer, request, body, sessions]] },
    ];
    const { changes } = await this.#store.commit([
      ...(device.unregistered ? [historyOp(device), deviceOp(device)] : []),
      ...claims,
      { statement: "knowVaultEntry", rows: [[use.instance, use.entry]] },
    ]);
    const claimed = changes.slice(-1 - claims.length, -1);
    if (claimed.flat().some((changed) => changed !== 1)) throw new TypeError("a claim changed nothing");
  }

  /** Rejects with `store/constraint` when there is one with this DevEUI. */
  async add({ usedDevNonces = [], ...device }: NewDevice): Promise<void> {
    // Field by field: what else a row of an import has is not kept.
    const { devEui, joinEui, macVersion, lastJoinNonce = 0, rjCount0 = -1, rjCount1 = -1, blobs, provenance } = device;
    const lastDevNonce = usedDevNonces.reduce((last, nonce) => Math.max(last, nonce), -1);
    const row: Device = {
      ...{ devEui, joinEui, macVersion, blobs, provenance },
      ...{ lastJoinNonce, lastDevNonce, rjCount0, rjCount1 },
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

const historyOp = ({
  devEui,
  joinEui,
  lastJoinNonce,
  lastDevNonce,
  rjCount0,
  rjCount1,
}: DeviceId & History): Op<Statement> => ({
  statement: "addHistory",
  rows: [[devEui, joinEui, lastJoinNonce, lastDevNonce, rjCount0, rjCount1]],
});

const deviceOp = ({ devEui, joinEui, macVersion, provenance, blobs }: Device): Op<Statement> => ({
  statement: "addDevice",
  rows: [[devEui, joinEui, macVersion, provenance, blobs === undefined ? null : JSON.stringify(blobs)]],
});

const sessionsOf = (kept: KeptAnswer | undefined): readonly KeptSession[] =>
  kept === undefined ? [] : (JSON.parse(kept.sessions) as KeptSession[]);

function claimOps({ devEui, joinEui }: DeviceId, nonce: Nonce, joinNonce: number): Op<Statement>[] {
  switch (nonce.request) {
    case "join":
      return [
        { statement: "claimDevNonce", rows: [[devEui, joinEui, nonce.devNonce]] },
        { statement: "claimJoin", rows: [[devEui, joinEui, joinNonce, nonce.devNonce]] },
      ];
    case 1:
      return [{ statement: "claimRejoin1", rows: [[devEui, joinEui, joinNonce, nonce.rjCount]] }];
    default:
      return [
        { statement: "claimRejoinFrame", rows: [[devEui, joinEui, nonce.frame]] },
        { statement: "claimRejoin02", rows: [[devEui, joinEui, joinNonce, nonce.rjCount]] },
      ];
  }
}

const historyOf = (row: Row): History => ({
  lastJoinNonce: row.last_join_nonce,
  lastDevNonce: row.last_dev_nonce,
  rjCount0: row.rj_count0,
  rjCount1: row.rj_count1,
});

const deviceOf = (row: Row): Device => ({
  devEui: row.dev_eui,
  joinEui: row.join_eui,
  macVersion: row.mac_version as MacVersion,
  provenance: row.provenance as Provenance,
  ...(row.blobs === null ? {} : { blobs: JSON.parse(row.blobs) as RootKeyBlobs }),
  history: row.history,
  ...historyOf(row),
});

/** What people see of a device: no blobs, and counters only where something was counted. */
export const shown = ({
  devEui,
  joinEui,
  macVersion,
  provenance,
  lastJoinNonce,
  ...counters
}: Device): JoinDeviceRow => ({
  ...{ devEui, joinEui, macVersion, provenance, lastJoinNonce },
  ...Object.fromEntries(
    (["lastDevNonce", "rjCount0", "rjCount1"] as const)
      .map((name) => [name, counters[name]] as const)
      .filter(([, count]) => count >= 0),
  ),
});
