/**
 * The Things Stack's device CSV: `;` or `,` between columns, headings in the first line in any order, unknown columns skipped.
 * The columns that are read: docs/importing.md.
 */
import { UserError } from "../commands/output.ts";
import { csvRecords } from "./csv-records.ts";
import { type Deviceable, deviceOf } from "./row.ts";
import type { ImportDefaults, ImportRow } from "./rows.ts";

const separatorOf = (firstLine: string) => (firstLine.includes(";") ? ";" : ",");

export async function* readCsv(text: AsyncIterable<string>, defaults: ImportDefaults): AsyncGenerator<ImportRow> {
  let names: readonly string[] | undefined;
  for await (const { line, cells } of csvRecords(text, separatorOf)) {
    if (names === undefined) names = headings(cells ?? []);
    else yield { line, ...(cells ? rowOf(names, cells, defaults) : unclosed) };
  }
  if (names === undefined) throw new UserError("import/empty", "the file has no rows");
}

const unclosed = {
  ok: false,
  code: "import/csv",
  message: "a quote in this line is not closed, or the line has no end",
} as const;

function headings(cells: readonly string[]): readonly string[] {
  const names = cells.map((name) => name.trim().toLowerCase());
  if (!names.includes("dev_eui"))
    throw new UserError(
      "import/format",
      "expected The Things Stack's CSV (with a dev_eui column) or JSON, a Microchip manifest or an export of Trefoil",
    );
  // Which one is not said: without headings this line may be a device, keys and all.
  if (names.some((name, i) => name !== "" && names.indexOf(name) !== i))
    throw new UserError("import/format", "two columns have the same name");
  return names;
}

function rowOf(names: readonly string[], cells: readonly string[], defaults: ImportDefaults) {
  // A row of another length would put values, keys among them, into the wrong columns.
  if (cells.length < names.length || cells.slice(names.length).some((cell) => cell.trim() !== ""))
    return {
      ok: false,
      code: "import/columns",
      message: `expected ${names.length} cells, as in the first line, found ${cells.length}`,
    } as const;
  const given = new Map(names.map((name, i) => [name, cells[i]?.trim() ?? ""]));
  const device: Deviceable = { field: (name) => given.get(name) || undefined, history: {} };
  return deviceOf(device, defaults);
}
