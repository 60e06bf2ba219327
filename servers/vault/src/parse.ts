/** What comes over the pipe, checked value by value before anything touches a key (or, later, native code). */
import {
  type ImportRootKeys,
  isAsId,
  isEui,
  isNetId,
  parseBase64,
  parseHex,
  type RootKeyBlobs,
  type VaultJoin,
} from "@trefoil/custody";
import type { MacVersion, SealedKeys, SignedRegistration } from "@trefoil/wire";

type Record_ = { readonly [name: string]: unknown };
const isRecord = (value: unknown): value is Record_ =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isUint = (value: unknown, most: number): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most;
const isHex = (value: unknown, octets: number): value is string => parseHex(value)?.length === octets;

const macVersions: readonly unknown[] = ["1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4", "1.1"] satisfies MacVersion[];

export type Parser<T> = (body: unknown) => T | undefined;

export const parseEmpty: Parser<Record<string, never>> = (body) => (isRecord(body) ? {} : undefined);

export const parseSigned: Parser<SignedRegistration> = (body) =>
  isRecord(body) && typeof body.payload === "string" && typeof body.signature === "string"
    ? { payload: body.payload, signature: body.signature }
    : undefined;

function parseAssignment({ devEui, joinEui, netId, asId }: Record_) {
  return isEui(devEui) && isEui(joinEui) && isNetId(netId) && isAsId(asId)
    ? { devEui, joinEui, netId, asId }
    : undefined;
}

/** Rows that are malformed are `undefined`: each is refused alone. What is sealed is checked where it is opened. */
export const parseImports: Parser<readonly (ImportRootKeys | undefined)[]> = (body) =>
  Array.isArray(body) && body.length <= maximumRows ? body.map(parseImport) : undefined;
const maximumRows = 10_000;

function parseImport(row: unknown): ImportRootKeys | undefined {
  if (!isRecord(row)) return undefined;
  const assignment = parseAssignment(row);
  if (assignment === undefined || !macVersions.includes(row.macVersion) || !isRecord(row.sealed)) return undefined;
  return { ...assignment, macVersion: row.macVersion as MacVersion, sealed: row.sealed as unknown as SealedKeys };
}

export const parseJoin: Parser<VaultJoin> = (body) => {
  if (!isRecord(body)) return undefined;
  const assignment = parseAssignment(body);
  const blobs = parseBlobs(body.blobs);
  const { joinRequest, joinNonce, devAddr, dlSettings, rxDelay, cfList } = body;
  if (assignment === undefined || blobs === undefined || !isHex(joinRequest, 23) || !isHex(devAddr, 4))
    return undefined;
  if (!isUint(joinNonce, 0xff_ffff) || !isUint(dlSettings, 0xff) || !isUint(rxDelay, 15)) return undefined;
  if (cfList !== undefined && !isHex(cfList, 16)) return undefined;
  return {
    ...assignment,
    blobs,
    joinRequest,
    joinNonce,
    devAddr,
    dlSettings,
    rxDelay,
    ...(cfList === undefined ? {} : { cfList }),
  };
};

function parseBlobs(value: unknown): RootKeyBlobs | undefined {
  if (!isRecord(value)) return undefined;
  const isBlob = (blob: unknown): blob is string => parseBase64(blob)?.length === 24;
  const { AppKey, NwkKey, GenAppKey } = value;
  if (!isBlob(AppKey) || ![NwkKey, GenAppKey].every((blob) => blob === undefined || isBlob(blob))) return undefined;
  return { AppKey, ...(isBlob(NwkKey) ? { NwkKey } : {}), ...(isBlob(GenAppKey) ? { GenAppKey } : {}) };
}
