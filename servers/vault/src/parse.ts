/** What comes over the pipe, checked value by value before anything touches a key or native code. */
import {
  type ImportRootKeys,
  isEui,
  isNetwork,
  isRecord,
  parseBase64,
  parseHex,
  type RootKeyBlobs,
  type VaultJoin,
  type VaultMethods,
  type VaultRejoin,
} from "@trefoil/custody";
import { isMacVersion } from "@trefoil/lorawan";
import type { DeviceId, Provision, SealedKeys, SignedStatement } from "@trefoil/wire";
import { blobOctets } from "./blob.ts";

type Record_ = { readonly [name: string]: unknown };
const isUint = (value: unknown, most: number): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most;
const isHex = (value: unknown, ...octets: readonly number[]): value is string =>
  octets.includes(parseHex(value)?.length ?? -1);
const isFingerprint = (value: unknown): value is string => isHex(value, 32);
const isText = (value: unknown, most: number): value is string => typeof value === "string" && value.length <= most;

const origins: readonly unknown[] = ["generated", "typed", "file"] satisfies ImportRootKeys["origin"][];

const maximumRows = 10_000;
/** More than a statement's own limit, which is its reader's to say. */
const maximumPayload = 1 << 17;

export type Parser<T> = (body: unknown) => T | undefined;
type Body<Method extends keyof VaultMethods> = VaultMethods[Method]["body"];

export const parseEmpty: Parser<Record<string, never>> = (body) => (isRecord(body) ? {} : undefined);

export const parseSigned: Parser<SignedStatement> = (body) =>
  isRecord(body) && isText(body.payload, maximumPayload) && isText(body.signature, 200)
    ? { payload: body.payload, signature: body.signature }
    : undefined;

export const parsePage: Parser<Body<"statements">> = (body) => {
  if (!isRecord(body)) return undefined;
  const { after } = body;
  if (after === undefined) return {};
  return isText(after, 200) ? { after } : undefined;
};

export const parseUsesSince: Parser<Body<"usesSince">> = (body) => {
  if (!isRecord(body)) return undefined;
  const { instance, entry, hash } = body;
  if (!isUint(instance, maximumInstance) || !isUint(entry, Number.MAX_SAFE_INTEGER)) return undefined;
  if (hash === undefined) return { instance, entry };
  return isFingerprint(hash) ? { instance, entry, hash } : undefined;
};
const maximumInstance = 999;

function parseDevice({ devEui, joinEui }: Record_): DeviceId | undefined {
  return isEui(devEui) && isEui(joinEui) ? { devEui, joinEui } : undefined;
}

/** Rows that are malformed are `undefined`: each is refused alone. What is sealed is checked where it is opened. */
export const parseImports: Parser<readonly (ImportRootKeys | undefined)[]> = (body) =>
  Array.isArray(body) && body.length <= maximumRows ? body.map(parseImport) : undefined;

function parseImport(row: unknown): ImportRootKeys | undefined {
  if (!isRecord(row)) return undefined;
  const { macVersion, sealed, origin, provision } = row;
  const device = parseDevice(row);
  if (device === undefined || !isMacVersion(macVersion) || !isRecord(sealed)) return undefined;
  if (origin !== undefined && !origins.includes(origin)) return undefined;
  const signed = provision === undefined ? undefined : parseProvision(provision);
  if (provision !== undefined && signed === undefined) return undefined;
  return {
    ...device,
    macVersion,
    sealed: sealed as unknown as SealedKeys,
    ...(origin === undefined ? {} : { origin: origin as NonNullable<ImportRootKeys["origin"]> }),
    ...(signed === undefined ? {} : { provision: signed }),
  };
}

function parseProvision(value: unknown): Provision | undefined {
  if (!isRecord(value) || !isText(value.publicKey, 1024) || !isText(value.signature, 1024)) return undefined;
  return { publicKey: value.publicKey, signature: value.signature };
}

export const parseJoin: Parser<VaultJoin> = (body) => {
  const activation = parseActivation(body);
  const { joinRequest } = (body ?? {}) as Record_;
  return activation !== undefined && isHex(joinRequest, 23) ? { ...activation, joinRequest } : undefined;
};

export const parseRejoin: Parser<VaultRejoin> = (body) => {
  const activation = parseActivation(body);
  const { rejoinRequest } = (body ?? {}) as Record_;
  return activation !== undefined && isHex(rejoinRequest, 19, 24) ? { ...activation, rejoinRequest } : undefined;
};

function parseActivation(body: unknown): Omit<VaultJoin, "joinRequest"> | undefined {
  if (!isRecord(body)) return undefined;
  const device = parseDevice(body);
  const { network, macVersion, blobs, joinNonce, devAddr, dlSettings, rxDelay, cfList } = body;
  if (device === undefined || !isNetwork(network) || !isMacVersion(macVersion) || !isHex(devAddr, 4)) return undefined;
  if (!isUint(joinNonce, 0xff_ffff) || !isUint(dlSettings, 0xff) || !isUint(rxDelay, 15)) return undefined;
  if (cfList !== undefined && !isHex(cfList, 16)) return undefined;
  const parsed = parseBlobs(blobs);
  if (parsed === undefined) return undefined;
  return {
    ...device,
    network,
    macVersion,
    ...(parsed === "none" ? {} : { blobs: parsed }),
    joinNonce,
    devAddr,
    dlSettings,
    rxDelay,
    ...(cfList === undefined ? {} : { cfList }),
  };
}

export const parseExport: Parser<Body<"exportRootKeys">> = (body) => {
  if (!isRecord(body) || !isFingerprint(body.to) || !isRecord(body.device)) return undefined;
  const device = parseDevice(body.device);
  const blobs = parseBlobs(body.blobs);
  if (device === undefined || blobs === undefined) return undefined;
  return { to: body.to, device, ...(blobs === "none" ? {} : { blobs }) };
};

export const parseExposure: Parser<Body<"exposure">> = (body) => {
  if (!Array.isArray(body) || body.length > maximumRows) return undefined;
  const rows = body.map((row) => {
    const device = isRecord(row) ? parseDevice(row) : undefined;
    const blobs = isRecord(row) ? parseBlobs(row.blobs) : undefined;
    if (device === undefined || blobs === undefined) return undefined;
    return { ...device, ...(blobs === "none" ? {} : { blobs }) };
  });
  return rows.every((row) => row !== undefined) ? rows : undefined;
};

/** "none": derived keys. `undefined`: malformed. No blobs at all are no blobs. */
function parseBlobs(value: unknown): RootKeyBlobs | "none" | undefined {
  if (value === undefined) return "none";
  if (!isRecord(value)) return undefined;
  const blobs: { -readonly [role in keyof RootKeyBlobs]: string } = {};
  for (const role of ["AppKey", "NwkKey", "GenAppKey"] as const) {
    const blob = value[role];
    if (blob === undefined) continue;
    if (parseBase64(blob)?.length !== blobOctets) return undefined;
    blobs[role] = blob as string;
  }
  return Object.keys(blobs).length === 0 ? undefined : blobs;
}
