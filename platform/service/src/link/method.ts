/** What one side lets the other ask: a table of methods, each with the schema that its bodies must have. */
import type { Static, TSchema } from "typebox";
import { Compile } from "typebox/compile";
import type { Link } from "./link.ts";

export type Method = {
  /** Undefined when the body is of the schema, else where it is not: "/receptions/0/hz must be integer". */
  readonly check: (body: unknown) => string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: the schema has proven the body's type; a table holds methods of many types.
  readonly handle: (body: any, from: Link) => unknown;
};
export type Methods = { readonly [name: string]: Method };

/** Compiles the schema: call it while loading, not per request. What `handle` returns (or resolves to) is the answer; a thrown `Fault` becomes a refusal. */
export function method<S extends TSchema>(schema: S, handle: (body: Static<S>, from: Link) => unknown): Method {
  return { check: checker(schema), handle };
}

/** A compiled check that tells the first place that is wrong, and no value. */
export function checker(schema: TSchema): (body: unknown) => string | undefined {
  const validator = Compile(schema);
  return (body) => {
    if (validator.Check(body)) return undefined;
    const [first] = validator.Errors(body);
    return first ? `${first.instancePath || "body"} ${first.message}` : "body is not of its schema";
  };
}
