/** Shapes of what is read from files. */
import { parseBase64 } from "@trefoil/custody";

export const isRecord = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const isBase64Of = (value: unknown, octets: number): value is string => parseBase64(value)?.length === octets;
