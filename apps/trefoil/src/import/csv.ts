/**
 * The Things Stack's device CSV: `;` or `,` between columns, headings in the first line in any order, unknown columns skipped,
 * byte order mark tolerated, a cell may be quoted. Column names: reference in docs/import.md.
 */
import { UserError } from "../commands/output.ts";
import { deviceOf } from "./row.ts";
import type { ImportDefaults, ImportRow } from "./rows.ts";

export function readCsv(text: string, defaults: ImportDefaults): ImportRow[] {
  const [head, ...lines] = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "");
  if (head === undefined) throw new UserError("import/empty", "the file has no rows");
  const separator = head.includes(";") ? ";" : ",";
  const names = cells(head, separator).map((name) => name.trim().toLowerCase());
  if (!names.includes("dev_eui"))
    throw new UserError("import/format", "expected The Things Stack's CSV (a dev_eui column) or JSON");
  return lines.map((line) => {
    const values = cells(line, separator);
    return deviceOf(Object.fromEntries(names.map((name, i) => [name, values[i]])), {}, defaults);
  });
}

/** Cells of one line. A quoted cell may hold separators and doubled quotes. */
function cells(line: string, separator: string): string[] {
  const found: string[] = [];
  let cell = "";
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const at = line[i] as string;
    if (at === '"' && quoted && line[i + 1] === '"') cell += line[++i];
    else if (at === '"') quoted = !quoted;
    else if (at === separator && !quoted) {
      found.push(cell);
      cell = "";
    } else cell += at;
  }
  return [...found, cell];
}
