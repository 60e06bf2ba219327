/**
 * The objects of a JSON text that is too large to be parsed at once: one after another, in an array, or in the array of an outer
 * object. Braces are followed just far enough to know where an object ends; JSON.parse reads it then.
 */
import { maximumRowLength } from "./rows.ts";

export type JsonValue = {
  readonly line: number;
  readonly value: { readonly [name: string]: unknown } | undefined; // undefined: why not is said by `wrong`
  readonly wrong?: string;
};

/** Nothing that is read here nests deeper. */
const maximumDepth = 64;

/** Objects that lie in `outer` brackets or braces: 0 for a stream of objects, 1 for an array of them, 2 for an array in an object. */
export async function* jsonObjects(text: AsyncIterable<string>, outer: number): AsyncGenerator<JsonValue> {
  let row = ""; // what was read of the object so far
  let isTooLong = false;
  let deepest = 0;
  let depth = 0;
  let inString = false;
  let isEscaped = false;
  let isStray = false; // among what lies between two objects
  let line = 1;
  let startLine = 1;

  const refused = (at: number, wrong: string): JsonValue => ({ line: at, value: undefined, wrong });
  function finish(): JsonValue {
    if (isTooLong) return refused(startLine, "is longer than any device");
    const value = deepest - outer > maximumDepth ? undefined : parse(row);
    return value ? { line: startLine, value } : refused(startLine, "is not JSON of a device");
  }

  for await (const part of text) {
    let from = 0; // where the object goes on in this part
    for (let i = 0; i < part.length; i++) {
      const letter = part[i] as string;
      if (letter === "\n") line++;
      if (inString) {
        if (isEscaped) isEscaped = false;
        else if (letter === "\\") isEscaped = true;
        else if (letter === '"') inString = false;
      } else if (letter === "{" || letter === "[") {
        if (depth === outer) [row, from, startLine, isStray, isTooLong, deepest] = ["", i, line, false, false, 0];
        deepest = Math.max(deepest, ++depth);
      } else if (letter === "}" || letter === "]") {
        if (depth > 0 && --depth === outer) {
          row += part.slice(from, i + 1);
          yield finish();
        }
      } else if (depth === outer) {
        if (!isStray && !/[\s,]/.test(letter)) {
          isStray = true;
          yield refused(line, "is not a device");
        }
      } else if (letter === '"') inString = true;
    }
    if (depth <= outer) continue;
    row += part.slice(from);
    if (row.length > maximumRowLength) [row, isTooLong] = ["", true];
  }
  if (depth > 0)
    yield refused(depth > outer ? startLine : line, "ends in the middle: cut off, or a quote is not closed");
}

function parse(text: string): JsonValue["value"] {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as JsonValue["value"])
      : undefined;
  } catch {
    return undefined;
  }
}
