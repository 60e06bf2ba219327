/** The proof for people: the table "who held what", and what is wrong with it. */
import colors from "picocolors";
import { table } from "../commands/output.ts";
import { formNames } from "./forms.ts";
import type { Cell } from "./judge.ts";
import { holders, kinds } from "./policy.ts";
import type { Proof } from "./prove.ts";
import type { Find } from "./scan.ts";

const words: { readonly [cell in Cell]: string } = {
  held: colors.green("held"),
  forbidden: colors.red(colors.bold("HELD")),
  allowed: colors.dim("allowed"),
  none: colors.dim("·"),
  "not searched": colors.dim("?"),
};
const engines = { software: "software", softhsm: "SoftHSM (PKCS #11)" } as const;
const mostFindings = 40;
const mostForms = 4;

export function proofText(proof: Proof): string {
  const { engine, looks, joins, rejoins, sessions, uplinks, downlinks, secrets, proven } = proof;
  const octets = looks.reduce((sum, look) => sum + look.octets, 0);
  const seconds = looks.reduce((sum, look) => sum + look.ms, 0) / 1000;
  const stood = looks.length - 2;
  const head = ["who held what", ...holders.map((holder) => holder.replace(/[- ]/, "\n"))];
  return [
    "",
    colors.bold(`Vault: ${engines[engine]}`),
    "",
    table(
      head,
      kinds.map((kind) => [kind, ...holders.map((holder) => words[proof.table[holder][kind]])]),
    ),
    "",
    colors.dim("held: a copy was found, where it may be   allowed: none was found, it may be there"),
    colors.dim("·: no copy was found, none may be there    ?: nobody can read this key, so it was not searched for"),
    "",
    `${joins} joins, ${rejoins} rejoins (${sessions} sessions), ${uplinks} uplinks, ${downlinks} downlinks; ${secrets} keys, envelopes and payloads searched for in ${formNames.length} forms,`,
    `while all stood still at ${stood} marked points and twice afterwards: ${(octets / 1e9).toFixed(1)} GB of memory, files, messages and log lines in ${seconds.toFixed(0)} s.`,
    "",
    ...findings(proof),
    proven
      ? colors.green("No server held a key or a payload that it may not hold.")
      : colors.red("The proof of custody failed."),
  ].join("\n");
}

function findings({ violations, openable, blind, unseen }: Proof): string[] {
  const lines = [
    ...grouped(violations),
    ...openable.map(({ holder, envelope, kek, mark }) => `${holder}: ${envelope}, and ${kek} that opens it; ${mark}`),
    ...blind.map(
      ([holder, kind, place]) => `${holder}: not seen to hold its own ${kind} (${place}), so the search proves nothing`,
    ),
    ...unseen.map((mark) => `nobody came to the marked point "${mark}"`),
  ];
  const shown = lines.slice(0, mostFindings).map((line) => `  ${colors.red("✗")} ${line}`);
  return lines.length > mostFindings
    ? [...shown, `  … and ${lines.length - mostFindings} more (--json has all)`]
    : shown;
}

/** One line for each secret at each place: in which forms, and when it was seen first. */
function grouped(violations: readonly Find[]): string[] {
  const groups = new Map<string, Find[]>();
  for (const find of violations) {
    const key = [find.holder, find.place, find.where, find.name].join("|");
    groups.set(key, [...(groups.get(key) ?? []), find]);
  }
  return [...groups.values()].map((finds) => {
    const [{ holder, kind, name, place, where, mark }] = finds as [Find];
    const forms = [...new Set(finds.map(({ form }) => form))];
    const more = forms.length > mostForms ? ` and ${forms.length - mostForms} more forms` : "";
    const at = {
      memory: "in its memory",
      files: `in its file ${where}`,
      log: "in its log",
      messages: `in messages ${where}`,
    };
    return `${holder}: ${name} (${kind}) ${at[place]}, as ${forms.slice(0, mostForms).join(", ")}${more}; ${mark}`;
  });
}
