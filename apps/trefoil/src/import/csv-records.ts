/**
 * Comma-separated values (RFC 4180), as spreadsheets really write them: either line ending, quoted cells with separators, line
 * breaks and doubled quotes in them. A quote that is never closed costs its own line, not the rest of the file.
 */
import { maximumRowLength } from "./rows.ts";

export type CsvRecord = {
  readonly line: number;
  readonly cells: readonly string[] | undefined; // undefined: a quote is not closed, or the line has no end
};

/** Lines without any cell are left out. `separator` is asked once, with the first line. */
export async function* csvRecords(
  text: AsyncIterable<string>,
  separatorOf: (firstLine: string) => string,
): AsyncGenerator<CsvRecord> {
  let rest = "";
  let line = 1;
  let separator: string | undefined;
  let columns: number | undefined;

  function* take(isLast: boolean): Generator<CsvRecord> {
    let at = 0;
    while (at < rest.length) {
      separator ??= separatorWhenComplete(rest, isLast, separatorOf);
      if (separator === undefined) break;
      const read = readRecord(rest, at, separator, isLast);
      // A stray quote swallowed the next lines, as the number of cells or text after its end shows. They get their own chance.
      const isStray =
        read !== "more" && read.breaks > 0 && (read.isOdd || (columns ?? read.cells.length) !== read.cells.length);
      if (isStray || (read === "more" && (isLast || rest.length - at > maximumRowLength))) {
        const lineEnd = rest.indexOf("\n", at);
        if (lineEnd < 0 && !isLast) break;
        yield { line, cells: undefined };
        line++;
        at = lineEnd < 0 ? rest.length : lineEnd + 1;
        continue;
      }
      if (read === "more") break;
      const { cells, next, breaks } = read;
      if (cells.length > 1 || cells[0]?.trim() !== "") {
        columns ??= cells.length;
        yield { line, cells };
      }
      line += breaks + 1;
      at = next;
    }
    rest = rest.slice(at);
  }

  for await (const part of text) {
    rest += part;
    if (rest.length > 2 * maximumRowLength && !rest.includes("\n")) rest = `${rest.slice(0, maximumRowLength + 1)}\n`;
    yield* take(false);
  }
  yield* take(true);
}

/** Of the first line that has anything in it, once that is there whole. */
function separatorWhenComplete(rest: string, isLast: boolean, separatorOf: (line: string) => string) {
  const [, first = "", end] = /^\s*(\S[^\n]*)(\n)?/.exec(rest) ?? [];
  return end === undefined && !isLast ? undefined : separatorOf(first);
}

type Read = {
  readonly cells: readonly string[];
  readonly next: number;
  readonly breaks: number;
  /** There is text between a closing quote and the end of its cell. */
  readonly isOdd: boolean;
};

/** One record, from `at` on; "more" when its end is not there yet. */
function readRecord(text: string, at: number, separator: string, isLast: boolean): Read | "more" {
  const cells: string[] = [];
  let cell = "";
  let quoted = false;
  let fresh = true; // at the start of a cell, where alone a quote opens
  let isClosed = false;
  let isOdd = false;
  let breaks = 0;
  for (let i = at; i < text.length; i++) {
    const letter = text[i] as string;
    if (quoted) {
      if (letter === "\n") breaks++;
      if (letter !== '"') cell += letter;
      else if (text[i + 1] === '"') cell += text[++i];
      else if (i + 1 === text.length && !isLast)
        return "more"; // the next piece may double it
      else [quoted, isClosed] = [false, true];
    } else if (letter === '"' && fresh) {
      quoted = true;
      fresh = false;
    } else if (letter === separator) {
      cells.push(cell);
      cell = "";
      [fresh, isClosed] = [true, false];
    } else if (letter === "\n") {
      return { cells: [...cells, cell], next: i + 1, breaks, isOdd };
    } else if (letter !== "\r") {
      cell += letter;
      fresh &&= letter === " ";
      isOdd ||= isClosed && letter !== " ";
    }
  }
  if (!isLast || quoted) return "more";
  return { cells: [...cells, cell], next: text.length, breaks, isOdd };
}
