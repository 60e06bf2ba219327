/** Compares a value with a schema: every problem by key, with what was expected, what was found, and the nearest name there is. */
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";

export type Problem = { readonly key: string; readonly message: string };
export type Node = TSchema & {
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: { readonly [key: string]: Node };
};

export function problemsOf(schema: Node, value: unknown, key = ""): Problem[] {
  if (!schema.properties)
    return isOf(schema, value) ? [] : [{ key, message: `expected ${schema.description}, found ${show(value)}` }];
  if (value === null) return []; // A section whose every line is a comment.
  if (!isSection(value)) return [{ key, message: `expected a section with keys, found ${show(value)}` }];
  const { properties } = schema;
  const unknown = Object.keys(value).filter((name) => !Object.hasOwn(properties, name));
  return [
    ...unknown.map((name) => ({
      key: join(key, name),
      message: `is not a setting${suggestion(name, Object.keys(properties))}`,
    })),
    ...Object.entries(properties).flatMap(([name, inner]) =>
      Object.hasOwn(value, name) ? problemsOf(inner, value[name], join(key, name)) : [],
    ),
  ];
}

export const isSection = (value: unknown): value is { [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const join = (path: string, name: string) => (path === "" ? name : `${path}.${name}`);

const checks = new WeakMap<object, (value: unknown) => boolean>();
function isOf(schema: TSchema, value: unknown): boolean {
  let check = checks.get(schema);
  if (!check) {
    const compiled = Compile(schema);
    check = (candidate) => compiled.Check(candidate);
    checks.set(schema, check);
  }
  return check(value);
}

function show(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function suggestion(name: string, known: readonly string[]): string {
  const near = known
    .map((candidate) => ({ candidate, far: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.far - b.far)[0];
  if (near && near.far <= Math.max(2, name.length / 3)) return `; did you mean ${near.candidate}?`;
  return `; known are ${known.join(", ")}`;
}

/** Edits (insert, delete, replace) that make one word of the other (Levenshtein). */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, replaced));
    }
    row = next;
  }
  return row[b.length] as number;
}
