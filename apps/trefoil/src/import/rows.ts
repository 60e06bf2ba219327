/** What the import formats and the import itself share. */
import type { MacVersion } from "@trefoil/wire";
import type { NewDevice } from "../commands/provision.ts";

/** A device, or why its row cannot be one. `line`: where in the file it begins, counted from 1. */
export type ImportRow = { readonly line: number } & (
  | { readonly ok: true; readonly device: NewDevice; readonly remarks: readonly Remark[] }
  | RefusedRow
);
export type RefusedRow = {
  readonly ok: false;
  readonly devEui?: string;
  readonly code: string;
  readonly message: string;
};
/** What a person should know about rows that were taken in: counted, and said once at the end (report.ts). */
export type Remark =
  | "join-nonce-unknown"
  | "dev-nonces-unknown"
  | "session-left-behind"
  | "counters-unknown"
  | "region-unknown";

export type ImportDefaults = {
  readonly applicationId: string;
  readonly macVersion: MacVersion;
  readonly region: string;
  /** Fingerprint of this realm's vault: what is sealed to another is said before anything is sent. */
  readonly vault?: string;
  /** A Join Server alone: it keeps no sessions of personalised devices. */
  readonly alone?: boolean;
};

export type FailedRow = {
  /** Counted from 1, headings not included. */
  readonly row: number;
  readonly line: number;
  readonly devEui?: string;
  readonly code: string;
  readonly message: string;
};
export type ImportReport = {
  readonly rows: number;
  readonly imported: number;
  readonly failed: readonly FailedRow[];
  readonly notes: readonly string[];
};

/** JoinNonce of a device whose history did not come along: above what its former network can have used (docs/importing.md). */
export const unknownJoinNonceStart = 65_536;

/** Nothing that one device is written as is longer, in any of the formats. What is longer is a mistake, or an attack on memory. */
export const maximumRowLength = 256 * 1024;
