/** The live view in the terminal: redrawn in place twice a second. Pure text. */
import colors from "picocolors";
import type { Bay } from "./bays.ts";
import type { Show } from "./show.ts";

const columns = 10;

export function drawTerminal(
  { summary, uplinksPerSecond, bays, arrivals, seconds }: Show,
  page: string | undefined,
): string {
  const cell = (name: string, value: string) => `${colors.dim(name)} ${colors.bold(value)}`;
  const { latencyMs } = summary;
  return [
    "",
    `  ${colors.bold(colors.green("☘ Trefoil demo"))}  ${colors.dim(`a parking lot of ${bays.length} bays, ${seconds} s`)}`,
    "",
    `  ${[cell("joined", `${summary.joins}`), cell("uplinks", `${summary.delivered}`), cell("per second", uplinksPerSecond.toFixed(1)), cell("lost", `${summary.lost}`), cell("duplicates", `${summary.duplicates}`)].join("   ")}`,
    `  ${[cell("latency p50", `${latencyMs.p50} ms`), cell("p99", `${latencyMs.p99} ms`), cell("downlinks heard", `${summary.downlinksHeard}`)].join("   ")}`,
    "",
    ...lot(bays),
    `  ${colors.dim("■ taken  □ free  · not heard yet")}`,
    "",
    ...arrivals
      .slice(-6)
      .map(
        ({ deviceId, text, latencyMs: ms }) =>
          `  ${colors.cyan(deviceId.padEnd(8))} ${text.padEnd(34)} ${colors.dim(ms === undefined ? "" : `${ms} ms`)}`,
      ),
    "",
    `  ${page ? `${colors.dim("The same as a page:")} ${page}` : ""}   ${colors.dim("Ctrl-C ends")}`,
    "",
  ].join("\n");
}

function lot(bays: readonly Bay[]): string[] {
  const rows: string[] = [];
  for (let at = 0; at < bays.length; at += columns)
    rows.push(
      `    ${bays
        .slice(at, at + columns)
        .map(sign)
        .join("  ")}`,
    );
  return rows;
}

function sign({ joined, last }: Bay): string {
  if (last === undefined) return joined ? colors.green("·") : colors.dim("·");
  return last.occupied ? colors.yellow("■") : colors.green("□");
}

/** Moves the cursor up over what was drawn before. */
export const overwrite = (linesBefore: number) => (linesBefore > 0 ? `\x1b[${linesBefore}A\x1b[0J` : "");
