/** The published vectors (vectors/published.json), with a record of which ones a test has used. */
import { readFileSync } from "node:fs";
import { fromHex } from "../src/index.ts";

export type Vector = {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, string | number | boolean>>;
  readonly expected: Readonly<Record<string, unknown>>;
  readonly source: string;
  readonly op?: string;
};

const file = new URL("../../../vectors/published.json", import.meta.url);
export const vectors: readonly Vector[] = (JSON.parse(readFileSync(file, "utf8")) as { vectors: Vector[] }).vectors;

export const ofKind = (...kinds: string[]): readonly Vector[] => vectors.filter(({ kind }) => kinds.includes(kind));

/** Octets from hex that must be right. */
export function octets(text: unknown): Uint8Array {
  const value = typeof text === "string" ? fromHex(text) : undefined;
  if (!value) throw new Error(`not hex: ${String(text)}`);
  return value;
}
export const number = (value: unknown): number => {
  if (typeof value !== "number") throw new Error(`not a number: ${String(value)}`);
  return value;
};
