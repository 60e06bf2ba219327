/** Shapes of what is read from files. */
import { parseBase64 } from "@trefoil/custody";

export const isBase64Of = (value: unknown, octets: number): value is string => parseBase64(value)?.length === octets;
