/**
 * Root keys: in as sealed keys, at rest as blobs that only this vault opens, each for one role, device and provenance; or at rest nowhere,
 * derived from a maker's master key at each use. Who serves the device is not the blob's to say (docs/authority.md).
 */
import { createHash } from "node:crypto";
import {
  type Imported,
  type ImportRootKeys,
  isProvisionOf,
  parseBase64,
  parseHex,
  parseSealedKeys,
  type RootKeyBlobs,
  toBase64,
} from "@trefoil/custody";
import { type DeviceId, type MacVersion, type Provenance, provenances } from "@trefoil/wire";
import { concat } from "./blocks.ts";
import { type HeldKeys, isRefusal, type RootPurpose } from "./held-keys.ts";
import { deviceBlock } from "./kdf.ts";
import type { StatementTable } from "./statements/table.ts";
import { type Token, type UnwrapUse, withHandles } from "./token.ts";

export type RootRole = keyof RootKeyBlobs;
/** Which root keys a device of each scheme has: TS001 §6.1. GenAppKey (TS005) is for multicast of 1.0.x devices. */
const rootRoles = {
  "1.0": { needs: ["AppKey"], may: ["GenAppKey"] },
  "1.1": { needs: ["AppKey", "NwkKey"], may: [] },
} as const satisfies {
  readonly [scheme: string]: { readonly needs: readonly RootPurpose[]; readonly may: readonly RootRole[] };
};
export const schemeOf = (macVersion: MacVersion) => (macVersion === "1.1" ? "1.1" : "1.0");
export const rootsOf = (macVersion: MacVersion): readonly RootPurpose[] => rootRoles[schemeOf(macVersion)].needs;

/** What a vault's core works with. */
export type Keys<H> = {
  readonly token: Token<H>;
  readonly held: HeldKeys<H>;
  readonly table: StatementTable;
};

export type OpenedRoot<H> = { readonly key: H; readonly provenance: Provenance };

/** What a blob is bound to: the two blocks for its wrapping key. */
const blobContext = (role: RootRole, { joinEui, devEui }: DeviceId, provenance: number): Uint8Array =>
  createHash("sha256")
    .update(`TREFOIL-BLOB-2\0${role}\0`, "ascii")
    .update(parseHex(joinEui) ?? new Uint8Array(0))
    .update(parseHex(devEui) ?? new Uint8Array(0))
    .update(Uint8Array.of(provenance))
    .digest();

/** The root key in a blob, or `undefined` when the blob was not made for exactly this. The caller destroys it. */
export function openBlob<H>(
  token: Token<H>,
  role: RootRole,
  device: DeviceId,
  blob: string | undefined,
  use: Extract<UnwrapUse, "root" | "transit">,
): OpenedRoot<H> | undefined {
  const octets = parseBase64(blob);
  const [octet] = octets ?? [];
  const provenance = octet === undefined ? undefined : provenances[octet];
  if (octets?.length !== 25 || octet === undefined || provenance === undefined) return undefined;
  const key = withHandles(token, (own) =>
    token.unwrap(
      own(token.derive256(token.storageKey, blobContext(role, device, octet), "wrapping")),
      octets.subarray(1),
      use,
    ),
  );
  return key === undefined ? undefined : { key, provenance };
}

export function makeBlob<H>(token: Token<H>, role: RootRole, device: DeviceId, provenance: Provenance, key: H): string {
  const octet = provenances.indexOf(provenance);
  return withHandles(token, (own) => {
    const wrapping = own(token.derive256(token.storageKey, blobContext(role, device, octet), "wrapping"));
    return toBase64(concat([octet], token.wrap(wrapping, key)));
  });
}

/** A root key of a device: from its blob, or where it has no blobs, derived. The caller destroys it. */
export function openRoot<H>(
  { token, held, table }: Keys<H>,
  role: RootRole,
  device: DeviceId,
  blobs: RootKeyBlobs | undefined,
  use: Extract<UnwrapUse, "root" | "transit">,
): OpenedRoot<H> | undefined {
  if (blobs !== undefined) return openBlob(token, role, device, blobs[role], use);
  const statement = table.masterKey(device.joinEui);
  if (statement === undefined || role === "GenAppKey") return undefined;
  const label = held.labelOf(statement, role);
  return label === undefined
    ? undefined
    : { key: token.derive128(label, deviceBlock(device), use), provenance: "derived" };
}

/** Which root keys there are of a device. `undefined`: none. */
export function rolesAtHand(
  { table }: Pick<Keys<unknown>, "table">,
  { joinEui }: DeviceId,
  blobs: RootKeyBlobs | undefined,
): readonly RootRole[] | undefined {
  if (blobs !== undefined)
    return (["AppKey", "NwkKey", "GenAppKey"] as const).filter((role) => blobs[role] !== undefined);
  const statement = table.masterKey(joinEui);
  return statement === undefined ? undefined : rootsOf(statement.macVersion);
}

/** One device's root keys, from sealed to blobs. */
export function importRootKeys<H>({ token, held, table }: Keys<H>, request: ImportRootKeys): Imported {
  const refused = (code: string): Imported => ({ result: "refused", code });
  const sealed = parseSealedKeys(request.sealed);
  if (sealed === undefined) return refused("sealed/malformed");
  if (sealed.keys.some(({ devEui, joinEui }) => devEui !== request.devEui || joinEui !== request.joinEui))
    return refused("import/other-device");
  const { needs, may } = rootRoles[schemeOf(request.macVersion)];
  const given = sealed.keys.map(({ role }) => role);
  const allowed: readonly string[] = [...needs, ...may];
  const fits =
    needs.every((role) => given.includes(role)) &&
    given.every((role) => allowed.includes(role)) &&
    new Set(given).size === given.length;
  if (!fits) return refused("import/wrong-keys");

  const { provision, origin = "unknown" } = request;
  if (provision !== undefined) {
    const counts = table.isProvisioner(provision.publicKey, request.joinEui) && isProvisionOf(sealed, provision);
    if (!counts) return refused("import/provision"); // never less than it claims to be, in silence
  }
  const provenance: Provenance = provision === undefined ? origin : "provisioner";

  const opened = held.unseal(sealed, "transit");
  if (isRefusal(opened)) return refused(opened.code);
  return withHandles(token, (own) => {
    for (const key of opened) own(key);
    const blobs = given.map((role, i) => [
      role,
      makeBlob(token, role as RootRole, request, provenance, opened[i] as H),
    ]);
    return { result: "imported", blobs: Object.fromEntries(blobs) as RootKeyBlobs, provenance };
  });
}
