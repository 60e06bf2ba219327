/** One row of POST /devices, checked. Whether its keys can be opened, and who serves it, the vault says. */
import { isEui } from "@trefoil/custody";
import { isMacVersion } from "@trefoil/lorawan";
import type { JoinDevice } from "@trefoil/wire";

export type ParsedDevice = { readonly device: JoinDevice } | { readonly wrong: string };

const isRecord = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isUint = (value: unknown, most: number): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most;
const isUint16 = (value: unknown): value is number => isUint(value, 0xffff);
const lower = (value: unknown): unknown => (typeof value === "string" ? value.toLowerCase() : value);

type Field = { readonly is: (value: unknown) => boolean; readonly expected: string };
const optional = ({ is, expected }: Field): Field => ({ is: (value) => value === undefined || is(value), expected });
const counter: Field = optional({ is: isUint16, expected: "a number from 0 to 65535" });

/** Each field and what it must be. */
const fields: { readonly [name in keyof JoinDevice]-?: Field } = {
  devEui: { is: isEui, expected: "16 hex digits" },
  joinEui: { is: isEui, expected: "16 hex digits" },
  macVersion: { is: isMacVersion, expected: "one of 1.0.0, 1.0.1, 1.0.2, 1.0.3, 1.0.4, 1.1" },
  sealed: { is: isRecord, expected: "keys sealed to the vault" },
  origin: optional({
    is: (value) => value === "generated" || value === "typed" || value === "file",
    expected: "generated, typed or file",
  }),
  provision: optional({
    is: (value) => isRecord(value) && typeof value.publicKey === "string" && typeof value.signature === "string",
    expected: "a provisioner's public key and signature",
  }),
  usedDevNonces: optional({
    is: (value) => Array.isArray(value) && value.length <= 65_536 && value.every(isUint16),
    expected: "numbers from 0 to 65535",
  }),
  lastJoinNonce: optional({ is: (value) => isUint(value, 0xff_ffff), expected: "a number from 0 to 16777215" }),
  rjCount0: counter,
  rjCount1: counter,
};

export function parseJoinDevice(value: unknown): ParsedDevice {
  if (!isRecord(value)) return { wrong: "a device is an object" };
  const row: { [name: string]: unknown } = { ...value, devEui: lower(value.devEui), joinEui: lower(value.joinEui) };
  for (const [name, { is, expected }] of Object.entries(fields))
    if (!is(row[name])) return { wrong: `${name}: expected ${expected}` };
  return {
    device: Object.fromEntries(
      Object.keys(fields).flatMap((name) => (row[name] === undefined ? [] : [[name, row[name]]])),
    ) as JoinDevice,
  };
}
