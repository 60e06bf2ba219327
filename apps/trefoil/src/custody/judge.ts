/** From finds to a verdict, and to the table "who held what". Pure. */
import { type Holder, type Kind, kinds, mayHold, mustBeFound } from "./policy.ts";
import type { Find } from "./scan.ts";

export type Verdict = {
  readonly violations: readonly Find[];
  /** Keys that their rightful holder was not seen to hold: then the search proves nothing. */
  readonly blind: readonly (readonly [Holder, Kind])[];
  readonly table: {
    readonly [holder in Holder]: { readonly [kind in Kind]: "held" | "held, forbidden" | "allowed" | "no copy found" };
  };
};

export function judge(finds: readonly Find[]): Verdict {
  const has = (holder: Holder, kind: Kind) => finds.some((find) => find.holder === holder && find.kind === kind);
  const word = (holder: Holder, kind: Kind) => {
    const allowed = mayHold[holder].includes(kind);
    if (has(holder, kind)) return allowed ? "held" : "held, forbidden";
    return allowed ? "allowed" : "no copy found";
  };
  const holders = Object.keys(mayHold) as Holder[];
  const row = (holder: Holder) => Object.fromEntries(kinds.map((kind) => [kind, word(holder, kind)]));
  return {
    violations: finds.filter(({ holder, kind }) => !mayHold[holder].includes(kind)),
    blind: mustBeFound.filter(([holder, kind]) => !has(holder, kind)),
    table: Object.fromEntries(holders.map((holder) => [holder, row(holder)])) as Verdict["table"],
  };
}
