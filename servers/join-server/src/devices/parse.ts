/** One row of POST /devices, checked. Whether its keys can be opened, the vault says. */
import { isAsId, isEui, isNetId } from "@trefoil/custody";
import { isMacVersion } from "@trefoil/lorawan";
import type { JoinDevice } from "@trefoil/wire";

export type ParsedDevice = { readonly device: JoinDevice } | { readonly wrong: string };

const isNonce = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffff;
const lower = (value: unknown): unknown => (typeof value === "string" ? value.toLowerCase() : value);

/** Each field and what it must be. */
const fields: {
  readonly [name in keyof JoinDevice]-?: { readonly is: (value: unknown) => boolean; readonly expected: string };
} = {
  devEui: { is: isEui, expected: "16 hex digits" },
  joinEui: { is: isEui, expected: "16 hex digits" },
  macVersion: { is: isMacVersion, expected: "one of 1.0.0, 1.0.1, 1.0.2, 1.0.3, 1.0.4, 1.1" },
  netId: { is: isNetId, expected: "6 hex digits" },
  asId: { is: isAsId, expected: "1 to 128 visible characters" },
  sealed: { is: (value) => typeof value === "object" && value !== null, expected: "keys sealed to the vault" },
  usedDevNonces: {
    is: (value) => value === undefined || (Array.isArray(value) && value.length <= 65_536 && value.every(isNonce)),
    expected: "numbers from 0 to 65535",
  },
  lastJoinNonce: {
    is: (value) =>
      value === undefined || (Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 24),
    expected: "a number from 0 to 16777215",
  },
};

export function parseJoinDevice(value: unknown): ParsedDevice {
  if (typeof value !== "object" || value === null) return { wrong: "a device is an object" };
  const given = value as { readonly [name: string]: unknown };
  const row: { [name: string]: unknown } = {
    ...given,
    devEui: lower(given.devEui),
    joinEui: lower(given.joinEui),
    netId: lower(given.netId),
  };
  for (const [name, { is, expected }] of Object.entries(fields))
    if (!is(row[name])) return { wrong: `${name}: expected ${expected}` };
  return {
    device: Object.fromEntries(
      Object.keys(fields).flatMap((name) => (row[name] === undefined ? [] : [[name, row[name]]])),
    ) as JoinDevice,
  };
}
