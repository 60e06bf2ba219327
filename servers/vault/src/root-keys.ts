/**
 * Root keys: in as sealed keys, at rest as blobs that only this vault opens, and only for the role, device, NetID and AS-ID they were
 * imported for. The blob is RFC 3394 under a key derived from the storage key: a blob that was moved is refused by the unwrap.
 */
import { createHash } from "node:crypto";
import {
  type Assignment,
  type Imported,
  type ImportRootKeys,
  parseBase64,
  parseHex,
  parseSealedKeys,
  type RootKeyBlobs,
  sealingContext,
  toBase64,
} from "@trefoil/custody";
import type { SealedKeys } from "@trefoil/wire";
import { type Token, withHandles } from "./token.ts";

export type RootRole = keyof RootKeyBlobs;
/** Which root keys a device of each scheme has: TS001 §6.1. GenAppKey (TS005) is for multicast of 1.0.x devices. */
const rootRoles = {
  "1.0": { needs: ["AppKey"], may: ["GenAppKey"] },
  "1.1": { needs: ["AppKey", "NwkKey"], may: [] },
} as const satisfies {
  readonly [scheme: string]: { readonly needs: readonly RootRole[]; readonly may: readonly RootRole[] };
};

/** What a blob is bound to: the two blocks for its wrapping key. */
function blobContext(role: RootRole, { joinEui, devEui, netId, asId }: Assignment): Uint8Array {
  const hash = createHash("sha256").update(`TREFOIL-BLOB-1\0${role}\0`, "ascii");
  for (const part of [joinEui, devEui, netId]) hash.update(parseHex(part) ?? new Uint8Array(0));
  return hash.update(asId, "utf8").digest();
}

/** The root key in a blob, or `undefined` when the blob was not made for exactly this. The caller destroys it. */
export function openBlob<H>(
  token: Token<H>,
  role: RootRole,
  assignment: Assignment,
  blob: string | undefined,
): H | undefined {
  const wrapped = parseBase64(blob);
  if (wrapped?.length !== 24) return undefined;
  return withHandles(token, (own) =>
    token.unwrap(own(token.deriveWrappingKey(token.storageKey, blobContext(role, assignment))), wrapped),
  );
}

function makeBlob<H>(token: Token<H>, role: RootRole, assignment: Assignment, key: H): string {
  return withHandles(token, (own) =>
    toBase64(token.wrap(own(token.deriveWrappingKey(token.storageKey, blobContext(role, assignment))), key)),
  );
}

/** Keeps the transport keys of the latest batches, so that a batch costs one RSA operation. */
export type Transports<H> = { readonly open: (ciphertext: string) => H | undefined };
export function rememberTransports<H>(token: Token<H>, most = 8): Transports<H> {
  const remembered = new Map<string, H>();
  return {
    open(ciphertext) {
      const known = remembered.get(ciphertext) ?? token.openTransport(parseBase64(ciphertext) ?? new Uint8Array(0));
      if (known === undefined) return undefined;
      remembered.delete(ciphertext);
      for (const [oldest, handle] of remembered) {
        if (remembered.size < most) break;
        token.destroy(handle);
        remembered.delete(oldest);
      }
      remembered.set(ciphertext, known);
      return known;
    },
  };
}

export type OpenedRow<H> = {
  readonly role: string;
  readonly joinEui: string;
  readonly devEui: string;
  readonly key: H;
};
/** Opens a sealed message inside the token. The caller destroys the keys. */
export function openSealedKeys<H>(
  token: Token<H>,
  transports: Transports<H>,
  value: SealedKeys,
): readonly OpenedRow<H>[] | { readonly code: string } {
  const sealed = parseSealedKeys(value);
  if (sealed === undefined) return { code: "sealed/malformed" };
  if (sealed.to !== token.published.fingerprint) return { code: "sealed/not-for-this-receiver" };
  const transport = transports.open(sealed.transport);
  if (transport === undefined) return { code: "sealed/transport" };
  const rows: OpenedRow<H>[] = [];
  for (const row of sealed.keys) {
    const key = withHandles(token, (own) => {
      const wrappingKey = own(token.deriveWrappingKey(transport, sealingContext(row, sealed.to)));
      return token.unwrap(wrappingKey, parseBase64(row.wrapped) ?? new Uint8Array(0));
    });
    if (key === undefined) {
      for (const opened of rows) token.destroy(opened.key);
      return { code: "sealed/changed" };
    }
    rows.push({ role: row.role, joinEui: row.joinEui, devEui: row.devEui, key });
  }
  return rows;
}

/** One device's root keys, from sealed to blobs. */
export function importRootKeys<H>(token: Token<H>, transports: Transports<H>, request: ImportRootKeys): Imported {
  const opened = openSealedKeys(token, transports, request.sealed);
  if ("code" in opened) return { result: "refused", code: opened.code };
  return withHandles(token, (own) => {
    for (const { key } of opened) own(key);
    if (opened.some(({ devEui, joinEui }) => devEui !== request.devEui || joinEui !== request.joinEui))
      return { result: "refused", code: "import/other-device" };
    const { needs, may } = rootRoles[request.macVersion === "1.1" ? "1.1" : "1.0"];
    const given = opened.map(({ role }) => role);
    const allowed: readonly string[] = [...needs, ...may];
    const fits =
      needs.every((role) => given.includes(role)) &&
      given.every((role) => allowed.includes(role)) &&
      new Set(given).size === given.length;
    if (!fits) return { result: "refused", code: "import/wrong-keys" };
    const blobs = Object.fromEntries(
      opened.map(({ role, key }) => [role, makeBlob(token, role as RootRole, request, key)]),
    );
    return { result: "imported", blobs: blobs as RootKeyBlobs };
  });
}
