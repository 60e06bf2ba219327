/** Parsers of what people type. Each throws `UserError` naming the option, what was expected and what was found. */
import { isAsId } from "@trefoil/custody";
import type { JoinEuiRange, MacVersion, NetworkId } from "@trefoil/wire";
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

/** "70b3d57ed0000000-70b3d57ed00000ff": inclusive at both ends. With separators inside the EUIs, write "..". */
export function parseRange(option: string, text: string): JoinEuiRange {
  const ends = text.includes("..") ? text.split("..") : text.split("-");
  if (ends.length !== 2)
    throw new UserError("input/range", `${option}: expected FIRST-LAST, two JoinEUIs, found "${text}"`);
  const [first, last] = ends.map((end) => parseEui(option, end)) as [string, string];
  if (first > last) throw new UserError("input/range", `${option}: the first JoinEUI is after the last`);
  return { first, last };
}

const milliseconds = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** "90s", "15m", "12h", "7d", in milliseconds. */
export function parseDuration(option: string, text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return Number(count) * milliseconds[unit as keyof typeof milliseconds];
  throw new UserError("input/duration", `${option}: expected a time such as 12h or 7d, found "${text}"`);
}

export function parseNetwork(netId: string, nsId: string | undefined): NetworkId {
  return {
    netId: parseHex("--net-id", 6, netId),
    ...(nsId === undefined ? {} : { nsId: parseHex("--ns-id", 16, nsId) }),
  };
}

export function parseAsId(option: string, text: string): string {
  if (isAsId(text)) return text;
  throw new UserError("input/as-id", `${option}: expected visible ASCII characters, at most 128, found "${text}"`);
}

export function parseName(option: string, text: string): string {
  if (text.length > 0 && text.length <= 128 && !/\p{C}/u.test(text)) return text;
  throw new UserError("input/name", `${option}: expected 1 to 128 printable characters`);
}

/** SHA-256 as people copy it: with or without spaces or colons, in either case. */
export const parseFingerprint = (option: string, text: string): string =>
  parseHex(option, 64, text.replace(/[\s:]/g, ""));
