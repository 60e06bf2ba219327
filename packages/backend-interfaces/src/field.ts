/**
 * How one field of a message is read and written. Hexadecimal is kept as text in lower case without prefix; on the wire it may start
 * with 0x and use either case (TS002-1.0.0 §8.2). Parsers return `undefined` for what they refuse, and never throw.
 */
import { type ResultCode, resultCodeOf, spelledIn } from "./result-code.ts";
import type { ProtocolVersion } from "./version.ts";

export type Field<T> = {
  readonly parse: (value: unknown) => T | undefined;
  readonly encode: (value: T, version: ProtocolVersion) => unknown;
  /** What counts as absent where the field is optional, besides "" and null. */
  readonly isEmpty?: (value: unknown) => boolean;
};
export type OptionalField<T> = Field<T> & { readonly optional: true };
// biome-ignore lint/suspicious/noExplicitAny: a table's fields differ in type, and are variant in both directions
export type Fields = { readonly [name: string]: Field<any> };

type Value<F> = F extends Field<infer T> ? T : never;
export type Values<F extends Fields> = {
  readonly [N in keyof F as F[N] extends { readonly optional: true } ? never : N]: Value<F[N]>;
} & { readonly [N in keyof F as F[N] extends { readonly optional: true } ? N : never]?: Value<F[N]> };

const asIs = <T>(value: T): unknown => value;
export const optional = <T>(field: Field<T>): OptionalField<T> => ({ ...field, optional: true });

/** Octets in hexadecimal: of exactly `octets`, or of any number from 1 to `most`. */
export const hex = (octets?: number, most = 512): Field<string> => ({
  parse(value) {
    if (typeof value !== "string") return undefined;
    const digits = value.replace(/^0[xX]/, "").toLowerCase();
    if (!/^(?:[0-9a-f]{2})+$/.test(digits)) return undefined;
    const fits = octets === undefined ? digits.length <= 2 * most : digits.length === 2 * octets;
    return fits ? digits : undefined;
  },
  encode: asIs,
});

export const uint = (most: number): Field<number> => ({
  parse: (value) =>
    typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most ? value : undefined,
  encode: asIs,
});

/** SessionKeyID: octets in hexadecimal. Text is taken as it is: what another join server chose is its own business. */
export const sessionKeyId: Field<string> = {
  parse: (value) => hex().parse(value) ?? text(1024).parse(value),
  encode: asIs,
};

/** Visible characters, as of an AS-ID, a label or a version. */
export const text = (most = 128): Field<string> => ({
  parse: (value) =>
    typeof value === "string" && value.length <= most && /^[\x20-\x7e]+$/.test(value) ? value : undefined,
  encode: asIs,
});

/** TS002 Result. A code that is not known counts as Other. */
export type Result = { readonly code: ResultCode; readonly description?: string };
export const result: Field<Result> = {
  parse(value) {
    if (!isRecord(value) || typeof value.ResultCode !== "string") return undefined;
    const description = typeof value.Description === "string" ? { description: value.Description.slice(0, 256) } : {};
    return { code: resultCodeOf(value.ResultCode), ...description };
  },
  encode: ({ code, description }, version) => ({
    ResultCode: spelledIn(code, version),
    ...(description === undefined ? {} : { Description: description }),
  }),
};

/**
 * TS002 KeyEnvelope. The specification lets one without a label carry a key in the clear: here that is no KeyEnvelope at all,
 * in either direction, so such a message is malformed.
 */
export type KeyEnvelope = { readonly kekLabel: string; readonly aesKey: string };
const wrappedKey = hex(24);
const label = text();
export const keyEnvelope: Field<KeyEnvelope> = {
  // The Things Stack writes one where a refusal has no key.
  isEmpty: (value) => isRecord(value) && !value.KEKLabel && !value.AESKey,
  parse(value) {
    if (!isRecord(value)) return undefined;
    const kekLabel = label.parse(value.KEKLabel);
    const aesKey = wrappedKey.parse(value.AESKey);
    return kekLabel === undefined || aesKey === undefined ? undefined : { kekLabel, aesKey };
  },
  encode({ kekLabel, aesKey }) {
    if (kekLabel === "") throw new RangeError("a key envelope without a label is not sent");
    return { KEKLabel: kekLabel, AESKey: aesKey };
  },
};

export const isRecord = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads the fields of a table, or names the first that is missing or wrong. Fields that the table lacks are ignored. */
export function parseFields<F extends Fields>(
  fields: F,
  record: { readonly [name: string]: unknown },
): { readonly values: Values<F> } | { readonly wrong: string } {
  const values: { [name: string]: unknown } = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = record[name];
    if ("optional" in field && (value === undefined || value === null || value === "" || field.isEmpty?.(value)))
      continue;
    const parsed = field.parse(value);
    if (parsed === undefined) return { wrong: name };
    values[name] = parsed;
  }
  return { values: values as Values<F> };
}

/** Writes the fields of a table. Throws `RangeError` for what would not read back: the caller's mistake. */
export function encodeFields<F extends Fields>(
  fields: F,
  values: Values<F>,
  version: ProtocolVersion,
): { [name: string]: unknown } {
  const record: { [name: string]: unknown } = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = (values as { readonly [name: string]: unknown })[name];
    if (value === undefined && "optional" in field) continue;
    const written = value === undefined ? undefined : field.encode(value, version);
    if (written === undefined || field.parse(written) === undefined) throw new RangeError(`${name} cannot be sent`);
    record[name] = written;
  }
  return record;
}
