/** The strict reader of each kind of statement (platform/wire/src/authority.ts): one row for each. */
import {
  type DeviceId,
  type JoinEuiRange,
  macVersions,
  type NetworkId,
  type SealedKeys,
  type Statement,
  type StatementKind,
  type StatementRow,
} from "@trefoil/wire";
import { isKekLabel } from "./envelope.ts";
import type { KeyRole } from "./key.ts";
import { isAsId, isNetId, networkText } from "./networks.ts";
import { isEui, noEui, parseHex } from "./octets.ts";
import { parseSealedKeys } from "./opening.ts";
import { parseSigner } from "./owner.ts";
import { parseReceiver } from "./receiver.ts";
import { isRecord } from "./record.ts";

type Fields = { readonly [name: string]: unknown };
type Check = (value: unknown) => boolean;

const maximumDevices = 500;
const maximumExtraOctets = 256;

const hasOnly = (value: Fields, names: readonly string[]) => Object.keys(value).every((name) => names.includes(name));
const isFingerprint: Check = (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
const isUint = (value: unknown, most: number): boolean =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= most;
const isTime: Check = (value) => isUint(value, Number.MAX_SAFE_INTEGER);
const isTrue: Check = (value) => value === true;
const isName: Check = (value) =>
  typeof value === "string" && value.length > 0 && value.length <= 128 && !/\p{C}/u.test(value);

export const isNetwork = (value: unknown): value is NetworkId =>
  isRecord(value) &&
  hasOnly(value, ["netId", "nsId"]) &&
  isNetId(value.netId) &&
  (value.nsId === undefined || isEui(value.nsId));
const isRange = (value: unknown): value is JoinEuiRange =>
  isRecord(value) &&
  hasOnly(value, ["first", "last"]) &&
  isEui(value.first) &&
  isEui(value.last) &&
  value.first <= value.last;
const isDevice = (value: unknown): value is DeviceId =>
  isRecord(value) && hasOnly(value, ["devEui", "joinEui"]) && isEui(value.devEui) && isEui(value.joinEui);
const isDevices = (value: unknown): value is readonly DeviceId[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.length <= maximumDevices &&
  value.every(isDevice) &&
  new Set(value.map(({ devEui, joinEui }) => joinEui + devEui)).size === value.length;
const isUrl: Check = (value) =>
  typeof value === "string" && value.length <= 1024 && URL.canParse(value) && new URL(value).protocol === "https:";

/** One key of this role, that belongs to no device. */
const isSealed =
  (role: KeyRole): Check =>
  (value) => {
    const keys = parseSealedKeys(value)?.keys;
    const [key] = keys ?? [];
    return keys?.length === 1 && key?.role === role && key.joinEui === noEui && key.devEui === noEui;
  };

const exactlyOne = (...values: readonly unknown[]) => values.filter((value) => value !== undefined).length === 1;

type Kind = { readonly needs: { readonly [name: string]: Check }; readonly may: { readonly [name: string]: Check } } & {
  readonly together?: (fields: Fields) => boolean;
};
const kinds: { readonly [K in StatementKind]: Kind } = {
  kek: {
    needs: { label: isKekLabel, kek: isSealed("KEK") },
    may: { network: isNetwork, asId: isAsId, usedFrom: isTime, shown: isTrue },
    together: ({ network, asId }) => exactlyOne(network, asId),
  },
  peer: {
    needs: { name: isName, certificate: isFingerprint },
    may: {
      network: isNetwork,
      asId: isAsId,
      url: isUrl,
      appSKey: (value) => value === "join-ans" || value === "app-s-key-req",
      revoked: isTrue,
    },
    together: ({ network, asId }) => network !== undefined || asId !== undefined,
  },
  assignment: {
    needs: {},
    may: { devices: isDevices, joinEuis: isRange, network: isNetwork, asId: isAsId },
    // To a network and an AS-ID, or to nobody: half of it would only refuse joins later.
    together: ({ devices, joinEuis, network, asId }) =>
      exactlyOne(devices, joinEuis) && (network === undefined) === (asId === undefined),
  },
  "master-key": {
    needs: {
      joinEuis: isRange,
      kdf: (value) => value === "LORA-KDF-1",
      epoch: (value) => isUint(value, 0xffff_ffff),
      extra: (value) => (parseHex(value)?.length ?? Number.POSITIVE_INFINITY) <= maximumExtraOctets,
      macVersion: (value) => macVersions.some((version) => version === value),
      key: isSealed("MasterKey"),
    },
    may: { origin: (value) => value === "generated" || value === "typed" || value === "file" },
  },
  provisioner: {
    needs: { name: isName, publicKey: (value) => parseSigner(value) !== undefined, joinEuis: isRange },
    may: { revoked: isTrue },
  },
  export: {
    needs: { devices: isDevices, to: (value) => parseReceiver(value) !== undefined, until: isTime },
    may: {},
  },
};
const common = { version: (value: unknown) => value === 1, kind: isName, vault: isFingerprint, issuedAt: isTime };

/** `undefined` for anything but a statement whose every field makes sense. Says nothing about who signed it. */
export function parseStatement(value: unknown): Statement | undefined {
  if (!isRecord(value) || typeof value.kind !== "string" || !Object.hasOwn(kinds, value.kind)) return undefined;
  const { needs, may, together } = kinds[value.kind as StatementKind];
  const needed = { ...common, ...needs };
  if (!hasOnly(value, [...Object.keys(needed), ...Object.keys(may)])) return undefined;
  const fits =
    Object.entries(needed).every(([name, check]) => check(value[name])) &&
    Object.entries(may).every(([name, check]) => value[name] === undefined || check(value[name])) &&
    (together?.(value) ?? true);
  return fits ? (value as unknown as Statement) : undefined;
}

/** One statement for people to read, without its key. */
export function statementRow(statement: Statement): StatementRow {
  const { kind, issuedAt, label, network, asId, certificate, usedFrom, shown, revoked } = statement as Statement & {
    readonly [name in keyof Omit<StatementRow, "kind" | "subject" | "issuedAt">]?: never;
  };
  const shownFields = { label, network, asId, certificate, usedFrom, shown, revoked };
  return {
    kind,
    subject: subjectText(statement),
    issuedAt,
    ...Object.fromEntries(Object.entries(shownFields).filter(([, field]) => field !== undefined)),
  };
}

/** What a statement is about, in words. */
export function subjectText(statement: Statement): string {
  const devices = (all: readonly DeviceId[]) =>
    all.length === 1 ? `device ${all[0]?.devEui}` : `${all.length} devices, ${all[0]?.devEui} the first`;
  const range = ({ first, last }: JoinEuiRange) => `JoinEUIs ${first} to ${last}`;
  switch (statement.kind) {
    case "kek":
      return statement.network === undefined ? `AS-ID ${statement.asId}` : `network ${networkText(statement.network)}`;
    case "peer":
      return `peer ${statement.name}`;
    case "assignment":
      return statement.joinEuis === undefined ? devices(statement.devices ?? []) : range(statement.joinEuis);
    case "master-key":
      return range(statement.joinEuis);
    case "provisioner":
      return `provisioner ${statement.name}`;
    case "export":
      return devices(statement.devices);
  }
}

/** The sealed key that a statement brings with it. */
export const sealedOf = (statement: Statement): SealedKeys | undefined =>
  statement.kind === "kek" ? statement.kek : statement.kind === "master-key" ? statement.key : undefined;
