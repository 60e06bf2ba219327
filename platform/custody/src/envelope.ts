/**
 * Key envelopes (TS002 KeyEnvelope): a session key under the KEK of the one server that needs it. TS002 lets an envelope without a
 * label carry a key in the clear; here a label is compulsory in both directions, so there is no such fallback.
 */
import type { KeyEnvelope } from "@trefoil/wire";
import { isKeyLength, Key, type KeyRole } from "./key.ts";
import { unwrapKey, wrapKey } from "./key-wrap.ts";
import { parseHex, toHex } from "./octets.ts";

/** A KEK and the label under which the realm owner registered it. */
export type LabelledKek = { readonly label: string; readonly key: Key<"KEK"> };

const maximumLabel = 128;
export const isKekLabel = (value: unknown): value is string =>
  typeof value === "string" && value.length <= maximumLabel && /^[\x21-\x7e]+$/.test(value);

/** Wraps a session key for the server that owns the KEK. Throws on a KEK without a proper label: that is a mistake of ours. */
export function wrapEnvelope(kek: LabelledKek, key: Key): KeyEnvelope {
  if (!isKekLabel(kek.label)) throw new RangeError("a key envelope needs a KEK label");
  return {
    kekLabel: kek.label,
    aesKey: toHex(kek.key.expose((wrapping) => key.expose((octets) => wrapKey(wrapping, octets)))),
  };
}

export type OpenedEnvelope<Role extends KeyRole> =
  | { readonly result: "opened"; readonly key: Key<Role> }
  | {
      readonly result: "refused";
      readonly code: "envelope/no-label" | "envelope/unknown-label" | "envelope/malformed" | "envelope/wrong-kek";
    };

/** Opens an envelope that was made for this KEK. `kek` may be a list while a KEK is being replaced. */
export function openEnvelope<Role extends KeyRole>(
  keks: LabelledKek | readonly LabelledKek[],
  envelope: unknown,
  role: Role,
): OpenedEnvelope<Role> {
  const { kekLabel, aesKey } = (typeof envelope === "object" && envelope !== null ? envelope : {}) as {
    readonly [name: string]: unknown;
  };
  if (!isKekLabel(kekLabel)) return { result: "refused", code: "envelope/no-label" };
  const kek = [keks].flat().find(({ label }) => label === kekLabel);
  if (kek === undefined) return { result: "refused", code: "envelope/unknown-label" };
  const wrapped = parseHex(aesKey);
  if (wrapped === undefined || !isKeyLength(role, wrapped.length - 8))
    return { result: "refused", code: "envelope/malformed" };
  const octets = kek.key.expose((wrapping) => unwrapKey(wrapping, wrapped));
  if (octets === undefined) return { result: "refused", code: "envelope/wrong-kek" };
  const key = new Key(role, octets);
  octets.fill(0);
  return { result: "opened", key };
}
