/**
 * What only the realm owner may cause (docs/authority.md): statements. The exact text is signed, so no two readers can take it differently;
 * a field that is not known makes it malformed, so that no reader passes over half of what was meant.
 */
import { type KeyObject, sign, verify } from "node:crypto";
import type { SignedStatement, Statement } from "@trefoil/wire";
import { parseBase64, toBase64 } from "./octets.ts";
import { parseStatement } from "./statement-kinds.ts";

const context = "TREFOIL-STATEMENT-1\0";
/** 500 devices, and room. */
const maximumPayload = 65_536;

const signedText = (payload: string) => Buffer.from(context + payload, "utf8");

/** Throws on what no vault would accept: that is the caller's mistake. */
export function signStatement(owner: KeyObject, statement: Statement): SignedStatement {
  const payload = JSON.stringify(statement);
  if (payload.length > maximumPayload || parseStatement(JSON.parse(payload)) === undefined)
    throw new RangeError("not a statement that a vault would accept");
  return { payload, signature: toBase64(sign(null, signedText(payload), owner)) };
}

export type VerifiedStatement =
  | { readonly result: "valid"; readonly statement: Statement }
  | {
      readonly result: "refused";
      readonly code: "statement/malformed" | "statement/not-signed-by-owner" | "statement/other-vault";
    };
const refused = (code: (VerifiedStatement & { result: "refused" })["code"]): VerifiedStatement => ({
  result: "refused",
  code,
});

/** Checks the signature first: an unsigned text is not even parsed. */
export function verifyStatement(owner: KeyObject, vaultFingerprint: string, signed: unknown): VerifiedStatement {
  const { payload, signature } = (typeof signed === "object" && signed !== null ? signed : {}) as {
    readonly [name: string]: unknown;
  };
  const octets = parseBase64(signature);
  if (typeof payload !== "string" || payload.length > maximumPayload || octets === undefined)
    return refused("statement/malformed");
  if (!verify(null, signedText(payload), owner, octets)) return refused("statement/not-signed-by-owner");
  const statement = parseStatement(parseJson(payload));
  if (statement === undefined) return refused("statement/malformed");
  return statement.vault === vaultFingerprint ? { result: "valid", statement } : refused("statement/other-vault");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
