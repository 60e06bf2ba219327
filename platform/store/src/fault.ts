/**
 * Environment trouble: a disk that is full, a port in use, a peer that timed out (DESIGN: an outsider's input causes an
 * outcome, never a Fault; a bug throws an AssertionError). Only `code`, `retry` and `fields` may leave the process.
 */
export type Retry = "now" | "later" | "never";
export type FaultFields = { readonly [name: string]: string | number | boolean };
export type FaultDetails = { readonly retry?: Retry; readonly fields?: FaultFields; readonly cause?: unknown };

export class Fault extends Error {
  override readonly name = "Fault";
  /** A slug with its area, as in docs/errors.md: "store/full". */
  readonly code: string;
  readonly retry: Retry;
  /** Public: may be logged, answered, and shown. Never a key, never a payload. */
  readonly fields: FaultFields;

  /** `message` is one clear sentence made of public things only. */
  constructor(code: string, message: string, { retry = "later", fields = {}, cause }: FaultDetails = {}) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.retry = retry;
    this.fields = fields;
  }
}
