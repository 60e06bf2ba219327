/**
 * Root keys: in as sealed keys, at rest as blobs (blob.ts); or at rest nowhere, derived from a maker's master key at each use. Who serves
 * the device is not the blob's to say (docs/authority.md).
 */
import {
  type Imported,
  type ImportRootKeys,
  isProvisionOf,
  parseSealedKeys,
  type RootKeyBlobs,
} from "@trefoil/custody";
import type { DeviceId, MacVersion, Provenance } from "@trefoil/wire";
import { makeBlobs, type OpenedRoot, openBlob, type RootRole } from "./blob.ts";
import { type HeldKeys, isRefusal, type RootPurpose } from "./held-keys.ts";
import { deviceBlock } from "./kdf.ts";
import type { StatementTable } from "./statements/table.ts";
import { type Token, type UnwrapUse, withHandles } from "./token.ts";

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

/** A root key of a device: from its blob, or where it has no blobs, derived. The caller destroys it. */
export function openRoot<H>(
  { token, held, table }: Keys<H>,
  role: RootRole,
  device: DeviceId,
  blobs: RootKeyBlobs | undefined,
  use: Extract<UnwrapUse, "root" | "transit">,
): OpenedRoot<H> | undefined {
  if (blobs !== undefined) return openBlob(token, role, device, blobs, use);
  const statement = table.masterKey(device.joinEui);
  if (statement === undefined || role === "GenAppKey") return undefined;
  const label = held.labelOf(statement, role);
  return label === undefined
    ? undefined
    : { key: token.derive128(label, deviceBlock(device), use), provenance: statement.origin ?? "derived" };
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
    const roots = given.map((role, i) => [role as RootRole, opened[i] as H] as const);
    return { result: "imported", blobs: makeBlobs(token, request, provenance, new Map(roots)), provenance };
  });
}
