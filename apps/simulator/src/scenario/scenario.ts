/** A scenario file, parsed once. Unknown keys and wrong values are refused with their path. */
import { parse } from "yaml";
import { type MacVersion, macVersions } from "../device/versions.ts";
import type { Position } from "../radio/propagation.ts";
import { type Region, regions } from "../regions/index.ts";

export type Scenario = {
  readonly name: string;
  readonly region: Region["name"];
  readonly speed: number;
  readonly startHour: number;
  readonly radio: { readonly exponent: number; readonly shadowingDb: number };
  readonly gateways: readonly { readonly eui: string; readonly position: Position }[];
  readonly devices: {
    readonly kind: "parking-bay";
    readonly count: number;
    readonly versions: { readonly [version in MacVersion]: number };
    readonly joinEui: string;
    readonly devEuiStart: string;
    readonly grid: { readonly columns: number; readonly spacing: readonly [number, number]; readonly height: number };
    readonly fPort: number;
    readonly confirmedShare: number;
    readonly heartbeatHours: number;
    readonly switchOnSeconds: number;
    /** Above 0: payloads are so many random octets in place of a bay's state. */
    readonly payloadOctets: number;
  };
  readonly traffic: {
    readonly arrivalsPerHour: readonly number[];
    readonly stayHours: { readonly mean: number; readonly least: number };
  };
};

/** Something in the file that a person has to mend. */
export class ScenarioError extends Error {}

type Reader<T> = (value: unknown, path: string) => T;
const refuse = (path: string, expected: string): never => {
  throw new ScenarioError(`${path}: expected ${expected}`);
};
const number =
  (least: number, most: number): Reader<number> =>
  (value, path) =>
    typeof value === "number" && value >= least && value <= most
      ? value
      : refuse(path, `a number from ${least} to ${most}`);
const whole =
  (least: number, most: number): Reader<number> =>
  (value, path) =>
    Number.isInteger(value)
      ? number(least, most)(value, path)
      : refuse(path, `a whole number from ${least} to ${most}`);
const text: Reader<string> = (value, path) =>
  typeof value === "string" && value !== "" ? value : refuse(path, "text");
const eui: Reader<string> = (value, path) =>
  typeof value === "string" && /^[0-9a-f]{16}$/i.test(value)
    ? value.toLowerCase()
    : refuse(path, "16 hexadecimal digits in quotes");
const list =
  <T>(each: Reader<T>, least: number, most: number): Reader<T[]> =>
  (value, path) =>
    Array.isArray(value) && value.length >= least && value.length <= most
      ? value.map((element, i) => each(element, `${path}[${i}]`))
      : refuse(path, least === most ? `a list of ${least}` : `a list of ${least} to ${most}`);
const oneOf =
  <T extends string>(...choices: readonly T[]): Reader<T> =>
  (value, path) =>
    choices.find((choice) => choice === value) ?? refuse(path, choices.join(" or "));
/** An object with exactly these keys; those with a default may be left out. */
const object =
  <T extends object>(fields: { [K in keyof T]: Reader<T[K]> }, defaults: Partial<T> = {}): Reader<T> =>
  (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(path, "an object");
    const given = value as Record<string, unknown>;
    for (const key of Object.keys(given))
      if (!(key in fields)) refuse(`${path}.${key}`, `one of ${Object.keys(fields).join(", ")}`);
    const read = Object.entries(fields) as [keyof T & string, Reader<unknown>][];
    return Object.fromEntries(
      read.map(([key, reader]) => [
        key,
        key in given ? reader(given[key], `${path}.${key}`) : (defaults[key] ?? reader(undefined, `${path}.${key}`)),
      ]),
    ) as T;
  };

const metres = number(-100_000, 100_000);
const position: Reader<Position> = (value, path) => list(metres, 3, 3)(value, path) as unknown as Position;

const scenario = object<Scenario>(
  {
    name: text,
    region: oneOf(...(Object.keys(regions) as Region["name"][])),
    speed: number(0.01, 100_000),
    startHour: number(0, 24),
    radio: object({ exponent: number(1.5, 6), shadowingDb: number(0, 20) }),
    gateways: list(object({ eui, position }), 1, 100),
    devices: object<Scenario["devices"]>(
      {
        kind: oneOf("parking-bay"),
        count: whole(1, 10_000),
        versions: object(
          Object.fromEntries(macVersions.map((version) => [version, whole(0, 10_000)])) as Record<
            MacVersion,
            Reader<number>
          >,
          { "1.0.3": 0, "1.0.4": 0, "1.1": 0 },
        ),
        joinEui: eui,
        devEuiStart: eui,
        grid: object({
          columns: whole(1, 1000),
          spacing: (value, path) => list(metres, 2, 2)(value, path) as unknown as [number, number],
          height: metres,
        }),
        fPort: whole(1, 223),
        confirmedShare: number(0, 1),
        heartbeatHours: number(0.001, 1000),
        switchOnSeconds: number(0, 3600),
        payloadOctets: whole(0, 51),
      },
      { confirmedShare: 0, heartbeatHours: 24, switchOnSeconds: 10, fPort: 1, payloadOctets: 0 },
    ),
    traffic: object({
      arrivalsPerHour: list(number(0, 1000), 24, 24),
      stayHours: object({ mean: number(0.001, 1000), least: number(0, 1000) }),
    }),
  },
  { speed: 1, startHour: 0, radio: { exponent: 2.9, shadowingDb: 4 } },
);

/** Reads a scenario's YAML text. Throws `ScenarioError`. */
export function parseScenario(yaml: string): Scenario {
  let value: unknown;
  try {
    value = parse(yaml);
  } catch (error) {
    throw new ScenarioError(`not YAML: ${(error as Error).message.split("\n")[0]}`);
  }
  const read = scenario(value, "scenario");
  const { count, versions } = read.devices;
  const sum = macVersions.reduce((total, version) => total + versions[version], 0);
  if (sum !== count) refuse("scenario.devices.versions", `numbers that add up to count (${count}), not ${sum}`);
  return read;
}
