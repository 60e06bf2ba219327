/** What the import formats and the import itself share. */
import type { MacVersion } from "@trefoil/wire";
import type { NewDevice } from "../commands/provision.ts";

/** A device, or why its row cannot be one. Rows count from 1, headings not included. */
export type ImportRow =
  | { readonly ok: true; readonly device: NewDevice; readonly joinNonceKnown: boolean }
  | { readonly ok: false; readonly devEui?: string; readonly code: string; readonly message: string };
export type ImportDefaults = {
  readonly applicationId: string;
  readonly macVersion: MacVersion;
  readonly region: string;
};
export type FailedRow = {
  readonly row: number;
  readonly devEui?: string;
  readonly code: string;
  readonly message: string;
};
export type ImportReport = {
  readonly imported: number;
  readonly failed: readonly FailedRow[];
  readonly notes: readonly string[];
};

/** JoinNonce of a device whose history did not come along: above what its former network can have used (docs/sealed-key.md). */
export const unknownJoinNonceStart = 65_536;
