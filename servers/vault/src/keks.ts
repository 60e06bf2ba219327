/**
 * The KEKs that the realm owner registered: one for each NetID and each AS-ID. At rest they are the owner's signed registrations
 * themselves (KEKs sealed to this vault), checked again at every start: whoever can write the file can register nothing.
 */
import { type KekRow, parseOwnerPublicKey, type Registered, verifyRegistration } from "@trefoil/custody";
import type { Registration, SignedRegistration } from "@trefoil/wire";
import { openSealedKeys, type Transports } from "./root-keys.ts";
import type { Token } from "./token.ts";

export type Kek<H> = { readonly label: string; readonly key: H };
type Entry<H> = Kek<H> & { readonly registration: Registration; readonly signed: SignedRegistration };

export type Keks<H> = {
  readonly forNetwork: (netId: string) => Kek<H> | undefined;
  readonly forApplication: (asId: string) => Kek<H> | undefined;
  readonly rows: () => readonly KekRow[];
  /** Checks, and keeps it durably before it counts. */
  readonly register: (signed: SignedRegistration) => Registered;
};

const bindingOf = ({ netId, asId }: Registration): string => (netId === undefined ? `as ${asId}` : `net ${netId}`);

const rowOf = <H>({ registration: { label, netId, asId, issuedAt } }: Entry<H>): KekRow => ({
  label,
  ...(netId === undefined ? {} : { netId }),
  ...(asId === undefined ? {} : { asId }),
  issuedAt,
});

/** `stored`: what `save` was given last. Throws when one of them does not stand: the file is not the vault's work. */
export function openKeks<H>(
  token: Token<H>,
  transports: Transports<H>,
  stored: readonly SignedRegistration[],
  save: (all: readonly SignedRegistration[]) => void,
): Keks<H> {
  const owner = parseOwnerPublicKey(token.ownerPublicKey);
  if (owner === undefined) throw new TypeError("the pinned owner's key is none");
  const entries = new Map<string, Entry<H>>();

  function check(signed: SignedRegistration): Entry<H> | { readonly code: string } {
    const verified = verifyRegistration(owner as NonNullable<typeof owner>, signed);
    if (verified.result === "refused") return verified;
    const { registration } = verified;
    const opened = openSealedKeys(token, transports, registration.kek);
    if ("code" in opened) return opened;
    const [{ key } = { key: undefined }] = opened;
    return key === undefined
      ? { code: "registration/malformed" }
      : { label: registration.label, key, registration, signed };
  }

  /** TS002: labels name KEKs, so a label has one owner; and a later registration replaces an earlier one, never the other way. */
  function standing({ registration, signed, label }: Entry<H>): Registered | "new" {
    const former = entries.get(bindingOf(registration));
    if (former !== undefined) {
      if (former.signed.payload === signed.payload) return { result: "registered" };
      if (former.registration.issuedAt >= registration.issuedAt)
        return { result: "refused", code: "registration/older" };
    }
    for (const [binding, entry] of entries)
      if (entry.label === label && binding !== bindingOf(registration))
        return { result: "refused", code: "registration/label-taken" };
    return "new";
  }

  function register(signed: SignedRegistration, keep: boolean): Registered {
    const entry = check(signed);
    if ("code" in entry) return { result: "refused", code: entry.code };
    const verdict = standing(entry);
    if (verdict !== "new") {
      token.destroy(entry.key);
      return verdict;
    }
    const binding = bindingOf(entry.registration);
    const former = entries.get(binding);
    if (keep)
      save([...[...entries].filter(([other]) => other !== binding).map(([, { signed: kept }]) => kept), signed]);
    entries.set(binding, entry);
    if (former !== undefined) token.destroy(former.key);
    return { result: "registered" };
  }

  for (const signed of stored) {
    const registered = register(signed, false);
    if (registered.result === "refused")
      throw new TypeError(`a stored registration does not stand (${registered.code})`);
  }
  return {
    forNetwork: (netId) => entries.get(`net ${netId}`),
    forApplication: (asId) => entries.get(`as ${asId}`),
    rows: () => [...entries.values()].map(rowOf).sort((a, b) => (a.label < b.label ? -1 : 1)),
    register: (signed) => register(signed, true),
  };
}
