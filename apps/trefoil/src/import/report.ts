/** What an import tells a person in the end. */
import colors from "picocolors";
import { type ImportReport, type Remark, unknownJoinNonceStart } from "./rows.ts";

const sentences: { readonly [remark in Remark]: string } = {
  "join-nonce-unknown": `came without their last JoinNonce: it starts at ${unknownJoinNonceStart.toLocaleString("en")}`,
  "dev-nonces-unknown":
    "came without their used DevNonces: a join-request recorded before the move could be replayed, once",
  "session-left-behind": "had a session in their former network: it does not come along, they have to join again",
  "counters-unknown":
    "are personalised and came without a frame counter, which starts at 0: old uplinks can be replayed, and downlinks are not taken until it has caught up",
  "region-unknown": "have a frequency plan that is not known here: they got this network's region",
};

export const notesOf = (remarks: ReadonlyMap<Remark, number>): string[] =>
  (Object.keys(sentences) as Remark[]).flatMap((remark) => {
    const count = remarks.get(remark);
    return count === undefined ? [] : [`${devices(count)} ${sentences[remark]}.`];
  });

/** Failures beyond this many are in the report file alone. */
const shown = 20;

/** `width`: of the terminal; longer lines are cut, and the whole of them is in the report file. */
export function reportText(
  { rows, imported, failed, notes }: ImportReport,
  { reportFile, width }: { readonly reportFile?: string | undefined; readonly width?: number | undefined } = {},
): string {
  const mark = failed.length === 0 ? colors.green("✓") : imported === 0 ? colors.red("✗") : colors.yellow("!");
  const lines = [`${mark} ${imported.toLocaleString("en")} of ${devices(rows)} imported.`];
  for (const note of notes) lines.push(colors.dim(`  ${note}`));
  if (failed.length === 0) return lines.join("\n");
  lines.push("", `${rowsOf(failed.length)} failed:`, "", ...reasons(failed), "");
  const widest = Math.max(...failed.slice(0, shown).map(({ line }) => String(line).length), 4);
  const cells = (line: string | number, devEui: string, why: string) =>
    cut(`  ${String(line).padStart(widest)}  ${devEui.padEnd(16)}  ${why}`, width);
  lines.push(colors.bold(cells("line", "DevEUI", "why")));
  for (const { line, devEui = "-", message } of failed.slice(0, shown)) lines.push(cells(line, devEui, message));
  if (failed.length > shown) lines.push(`  … and ${rowsOf(failed.length - shown)} more.`);
  lines.push(
    "",
    reportFile ? `All of them are in ${reportFile}.` : "--report FILE writes all of them, one JSON line each.",
  );
  return lines.join("\n");
}

/** How many rows failed for which reason, the commonest first: a thousand rows often have one. */
function reasons(failed: ImportReport["failed"]): string[] {
  const found = new Map<string, { count: number; readonly example: string }>();
  for (const { code, message } of failed) {
    const reason = found.get(code) ?? { count: 0, example: message };
    reason.count++;
    found.set(code, reason);
  }
  return [...found]
    .sort(([, a], [, b]) => b.count - a.count)
    .map(([code, { count, example }]) => `${count.toLocaleString("en").padStart(9)}  ${colors.bold(code)}  ${example}`);
}

const cut = (text: string, width = Number.POSITIVE_INFINITY) =>
  text.length > width ? `${text.slice(0, width - 1)}…` : text;
const devices = (count: number) => `${count.toLocaleString("en")} ${count === 1 ? "device" : "devices"}`;
const rowsOf = (count: number) => `${count.toLocaleString("en")} ${count === 1 ? "row" : "rows"}`;
