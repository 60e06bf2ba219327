/** What may be asked of a vault: one row per method of the port, with the check of what comes in. The same for every engine. */
import type { VaultAnswer, VaultMethod, VaultMethods } from "@trefoil/custody";
import type { SignedRegistration } from "@trefoil/wire";
import { join } from "./join.ts";
import { openKeks } from "./keks.ts";
import { type Parser, parseEmpty, parseImports, parseJoin, parseSigned } from "./parse.ts";
import { importRootKeys, rememberTransports } from "./root-keys.ts";
import type { Token } from "./token.ts";

type Operation<Method extends VaultMethod> = (body: unknown) => VaultMethods[Method]["answer"] | undefined;
export type Operations = { readonly [Method in VaultMethod]: Operation<Method> };

export type Registrations = {
  readonly stored: readonly SignedRegistration[];
  readonly save: (all: readonly SignedRegistration[]) => void;
};

export function operations<H>(token: Token<H>, { stored, save }: Registrations): Operations {
  const transports = rememberTransports(token);
  const keks = openKeks(token, transports, stored, save);
  const malformed = { result: "refused", code: "vault/malformed" } as const;
  const on =
    <T, A>(parse: Parser<T>, operation: (body: T) => A) =>
    (body: unknown): A | undefined => {
      const parsed = parse(body);
      return parsed === undefined ? undefined : operation(parsed);
    };
  return {
    info: on(parseEmpty, () => ({ engine: token.engine, ...token.published })),
    keks: on(parseEmpty, keks.rows),
    registerKek: on(parseSigned, keks.register),
    importRootKeys: on(parseImports, (rows) =>
      rows.map((row) => (row === undefined ? malformed : importRootKeys(token, transports, row))),
    ),
    join: on(parseJoin, (body) => join(token, keks, body)),
  };
}

/** Answers one request. What is no request at all is `undefined`: whoever sent it is not our join server. */
export function answer(
  all: Operations,
  value: unknown,
  onBug: (method: string, error: unknown) => void,
): VaultAnswer | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { id, method, body } = value as { readonly [name: string]: unknown };
  if (typeof id !== "number" || typeof method !== "string") return undefined;
  if (!Object.hasOwn(all, method)) return { id, fault: "vault/unknown-method", retry: "never" };
  try {
    const result = all[method as VaultMethod](body);
    return result === undefined ? { id, fault: "vault/malformed", retry: "never" } : { id, answer: result };
  } catch (error) {
    onBug(method, error);
    return { id, fault: "vault/failed", retry: "later" };
  }
}
