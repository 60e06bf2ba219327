/** Which format a file has, by its first letters, and the reader of each. */
import { UserError } from "../commands/output.ts";
import { readCsv } from "./csv.ts";
import { jsonObjects } from "./json-values.ts";
import { isManifestEntry, readManifestEntry } from "./microchip.ts";
import type { ImportDefaults, ImportRow } from "./rows.ts";
import { exportFormat, readExportedDevice } from "./trefoil-export.ts";
import { readTtsDevice } from "./tts-json.ts";

type Loose = { readonly [name: string]: unknown };
type ReadObject = (value: Loose, defaults: ImportDefaults) => ReturnType<typeof readTtsDevice>;

/** Looks this far for the name of the format: an outer object names it before its devices. */
const lookAhead = 4_096;

export async function* readRows(text: AsyncIterable<string>, defaults: ImportDefaults): AsyncGenerator<ImportRow> {
  const parts = text[Symbol.asyncIterator]();
  let head = "";
  for (;;) {
    const next = await parts.next();
    if (next.done) break;
    head += next.value;
    if (head.trimStart().length >= lookAhead) break;
  }
  const whole = resumed(head, parts);
  switch (head.trimStart()[0]) {
    case undefined:
      throw new UserError("import/empty", "the file has no rows");
    case "{":
      yield* new RegExp(`"format"\\s*:\\s*"${exportFormat}"`).test(head.trimStart().slice(0, lookAhead))
        ? objects(whole, 2, readExportedDevice, defaults)
        : objects(whole, 0, readTtsDevice, defaults);
      return;
    case "[":
      yield* objects(whole, 1, readListed, defaults);
      return;
    default:
      yield* readCsv(whole, defaults);
  }
}

async function* resumed(head: string, parts: AsyncIterator<string>): AsyncGenerator<string> {
  yield head;
  for (;;) {
    const next = await parts.next();
    if (next.done) return;
    yield next.value;
  }
}

const readListed: ReadObject = (value, defaults) =>
  isManifestEntry(value) ? readManifestEntry(value) : readTtsDevice(value, defaults);

async function* objects(
  text: AsyncIterable<string>,
  outer: number,
  read: ReadObject,
  defaults: ImportDefaults,
): AsyncGenerator<ImportRow> {
  for await (const { line, value, wrong } of jsonObjects(text, outer)) {
    if (value) yield { line, ...read(value, defaults) };
    else yield { line, ok: false, code: "import/json", message: `what begins here ${wrong}` };
  }
}
