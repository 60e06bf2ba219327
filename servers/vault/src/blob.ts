/**
 * A root key at rest: provenance1 ‖ import8 ‖ RFC 3394 wrap24, under a key that depends on the role, the device, the provenance, the import and
 * the roles that came with it. So no blob serves for another role or device, says anything else of how it came, or passes beside
 * a key of another import: who could put a key of its own beside a device's AppKey could make that device's join-request itself.
 */
import { createHash, randomBytes } from "node:crypto";
import { parseBase64, parseHex, type RootKeyBlobs, toBase64 } from "@trefoil/custody";
import { type DeviceId, type Provenance, provenances } from "@trefoil/wire";
import { concat } from "./blocks.ts";
import { type Token, type UnwrapUse, withHandles } from "./token.ts";

export type RootRole = keyof RootKeyBlobs;
export type OpenedRoot<H> = { readonly key: H; readonly provenance: Provenance };

const headOctets = 9; // 12 characters of base64
export const blobOctets = headOctets + 24;

const rolesOf = (roles: Iterable<string>): string => [...roles].sort().join();

/** The two blocks for a blob's wrapping key. */
const context = (role: RootRole, { joinEui, devEui }: DeviceId, head: Uint8Array, roles: string): Uint8Array =>
  createHash("sha256")
    .update(`TREFOIL-BLOB-3\0${role}\0${roles}\0`, "ascii")
    .update(parseHex(joinEui) ?? new Uint8Array(0))
    .update(parseHex(devEui) ?? new Uint8Array(0))
    .update(head)
    .digest();

/** The blobs of a device's root keys, that came together. */
export function makeBlobs<H>(
  token: Token<H>,
  device: DeviceId,
  provenance: Provenance,
  keys: ReadonlyMap<RootRole, H>,
): RootKeyBlobs {
  const head = concat([provenances.indexOf(provenance)], randomBytes(headOctets - 1));
  const roles = rolesOf(keys.keys());
  const blobs = [...keys].map(([role, key]) =>
    withHandles(token, (own) => {
      const wrapping = own(token.derive256(token.storageKey, context(role, device, head, roles), "wrapping"));
      return [role, toBase64(concat(head, token.wrap(wrapping, key)))] as const;
    }),
  );
  return Object.fromEntries(blobs);
}

/** One root key of those blobs, or `undefined` when they were not made together for exactly this. The caller destroys it. */
export function openBlob<H>(
  token: Token<H>,
  role: RootRole,
  device: DeviceId,
  blobs: RootKeyBlobs,
  use: Extract<UnwrapUse, "root" | "transit">,
): OpenedRoot<H> | undefined {
  const octets = parseBase64(blobs[role]);
  const heads = Object.values(blobs).map((blob) => blob.slice(0, 12));
  if (new Set(heads).size !== 1) return undefined;
  const provenance = provenances[octets?.[0] ?? provenances.length];
  if (octets?.length !== blobOctets || provenance === undefined) return undefined;
  const head = octets.subarray(0, headOctets);
  const key = withHandles(token, (own) => {
    const bound = context(role, device, head, rolesOf(Object.keys(blobs)));
    return token.unwrap(own(token.derive256(token.storageKey, bound, "wrapping")), octets.subarray(headOctets), use);
  });
  return key === undefined ? undefined : { key, provenance };
}
