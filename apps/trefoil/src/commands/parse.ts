/** Parsers of what people type. Each throws `UserError` naming the option, what was expected and what was found. */
import type { MacVersion } from "@trefoil/wire";
import { UserError } from "./output.ts";

const hexOf = (digits: number) => new RegExp(`^[0-9a-f]{${digits}}$`);
const eui = hexOf(16);

/** EUIs are written 0011223344556677, 00-11-22-33-44-55-66-77 or with colons, in either case. */
export function parseEui(option: string, text: string): string {
  const digits = text.replace(/[-:\s]/g, "").toLowerCase();
  if (eui.test(digits)) return digits;
  throw new UserError("input/eui", `${option}: expected 16 hex digits, found "${text}"`);
}

export function parseHex(option: string, digits: number, text: string): string {
  const lower = text.toLowerCase();
  if (hexOf(digits).test(lower)) return lower;
  throw new UserError("input/hex", `${option}: expected ${digits} hex digits, found "${text}"`);
}

/** Ids as The Things Stack has them, since they become parts of MQTT topics: lower-case letters, digits and dashes, 2 to 36 of them. */
export function parseId(option: string, text: string): string {
  if (/^[a-z0-9](?:-?[a-z0-9]){1,35}$/.test(text)) return text;
  throw new UserError(
    "input/id",
    `${option}: expected 2 to 36 lower-case letters, digits or single dashes, found "${text}"`,
  );
}

/** "1.0.4", "1.1", or as The Things Stack writes them: "MAC_V1_0_4". */
export function parseMacVersion(option: string, text: string): MacVersion {
  const known: Record<string, MacVersion> = {
    "1.0": "1.0.0",
    "1.0.0": "1.0.0",
    "1.0.1": "1.0.1",
    "1.0.2": "1.0.2",
    "1.0.3": "1.0.3",
    "1.0.4": "1.0.4",
    "1.1": "1.1",
    "1.1.0": "1.1",
  };
  const version = known[text.replace(/^MAC_V/i, "").replaceAll("_", ".")];
  if (version) return version;
  throw new UserError("input/mac-version", `${option}: expected 1.0.0 to 1.0.4 or 1.1, found "${text}"`);
}

export function parseCount(option: string, text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count <= 0xffff_ffff) return count;
  throw new UserError("input/number", `${option}: expected a whole number, found "${text}"`);
}
