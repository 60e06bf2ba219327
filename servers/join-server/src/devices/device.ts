/** A device with what must not be lost of it, as it lies in the store. */
import type { RootKeyBlobs } from "@trefoil/custody";
import type { Op } from "@trefoil/store";
import type { DeviceId, MacVersion, Provenance } from "@trefoil/wire";
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

export type Row = {
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
export const historyOp = ({
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

export const deviceOp = ({ devEui, joinEui, macVersion, provenance, blobs }: Device): Op<Statement> => ({
  statement: "addDevice",
  rows: [[devEui, joinEui, macVersion, provenance, blobs === undefined ? null : JSON.stringify(blobs)]],
});

export const historyOf = (row: Row): History => ({
  lastJoinNonce: row.last_join_nonce,
  lastDevNonce: row.last_dev_nonce,
  rjCount0: row.rj_count0,
  rjCount1: row.rj_count1,
});

export const deviceOf = (row: Row): Device => ({
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
