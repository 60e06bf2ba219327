/** From finds to a verdict, and to the table "who held what". Pure. */
import type { Secret } from "./needles.ts";
import {
  type Holder,
  holders,
  type Kind,
  kinds,
  mayHold,
  mayHoldAtAll,
  mustBeFound,
  type Place,
  receiverOf,
} from "./policy.ts";
import type { Find } from "./scan.ts";

/** A key envelope and the KEK that opens it, in the hands of one who is not its receiver. */
export type Opened = {
  readonly holder: Holder;
  readonly envelope: string;
  readonly kek: string;
  readonly mark: string;
};
export type Cell = "held" | "forbidden" | "allowed" | "none" | "not searched";
export type Verdict = {
  readonly violations: readonly Find[];
  readonly openable: readonly Opened[];
  /** What a rightful holder was not seen to hold: then the search proves nothing. */
  readonly blind: readonly (readonly [Holder, Kind, Place])[];
  readonly table: { readonly [holder in Holder]: { readonly [kind in (typeof kinds)[number]]: Cell } };
};

/** `known`: what was searched for. An envelope's `openedBy` is the name of its KEK. */
export function judge(finds: readonly Find[], known: readonly (Secret & { readonly openedBy?: string })[]): Verdict {
  const searched = new Set(known.map(({ kind }) => kind));
  const isViolation = ({ holder, kind, place }: Find) => !mayHold(holder, kind, place);
  const cell = (holder: Holder, kind: Kind): Cell => {
    const of = finds.filter((find) => find.holder === holder && find.kind === kind);
    if (of.some(isViolation)) return "forbidden";
    if (of.length > 0) return "held";
    if (!searched.has(kind)) return "not searched";
    return mayHoldAtAll(holder, kind) ? "allowed" : "none";
  };
  const row = (holder: Holder) => Object.fromEntries(kinds.map((kind) => [kind, cell(holder, kind)]));
  return {
    violations: finds.filter(isViolation),
    openable: openable(finds, known),
    blind: mustBeFound.filter(
      ([holder, kind, place]) =>
        !finds.some((find) => find.holder === holder && find.kind === kind && find.place === place),
    ),
    table: Object.fromEntries(holders.map((holder) => [holder, row(holder)])) as Verdict["table"],
  };
}

export const isProven = ({ violations, openable: opened, blind }: Verdict): boolean =>
  violations.length + opened.length + blind.length === 0;

/** Each envelope that somebody could open who should not, once for each holder. */
function openable(
  finds: readonly Find[],
  known: readonly (Secret & { readonly openedBy?: string })[],
): readonly Opened[] {
  const kekOf = new Map(known.flatMap(({ name, openedBy }) => (openedBy === undefined ? [] : [[name, openedBy]])));
  const held = new Map<string, Find>();
  for (const find of finds) if (receiverOf[find.kind] !== undefined) held.set(`${find.holder}|${find.name}`, find);
  const opened = new Map<string, Opened>();
  for (const { holder, kind, name, mark } of finds) {
    if (kind !== "key envelope" || holder === "vault") continue;
    const kek = held.get(`${holder}|${kekOf.get(name)}`);
    if (kek === undefined || receiverOf[kek.kind] === holder) continue;
    opened.set(`${holder}|${name}`, { holder, envelope: name, kek: kek.name, mark });
  }
  return [...opened.values()];
}
