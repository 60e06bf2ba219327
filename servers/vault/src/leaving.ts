/** What may be known or had of root keys by others: the exposure ledger, and keys sealed to another vault by the owner's leave. */
import { type Exported, type RootKeyBlobs, sealedVersion, sealingContext, toBase64 } from "@trefoil/custody";
import type { DeviceId, ExposureRow, SealedKey } from "@trefoil/wire";
import { type Keys, openRoot, rolesAtHand } from "./root-keys.ts";
import { withHandles } from "./token.ts";

type Row = DeviceId & { readonly blobs?: RootKeyBlobs };

/** Root keys of a device sealed to the vault of this fingerprint: unwrapped, and wrapped again, without leaving the token. */
export function exportRootKeys<H>(
  keys: Keys<H>,
  { to, device, blobs }: { readonly to: string; readonly device: DeviceId; readonly blobs?: RootKeyBlobs },
  now: number,
): Exported {
  const { token, table } = keys;
  const receiver = table.exportReceiver(device, to, now);
  if (receiver === undefined) return { result: "refused", code: "export/not-stated" };
  const roles = rolesAtHand(keys, device, blobs);
  if (roles === undefined) return { result: "refused", code: "join/no-root-key" };
  return withHandles(token, (own) => {
    const transport = token.newTransport(receiver);
    own(transport.key);
    const sealed: SealedKey[] = [];
    for (const role of roles) {
      const root = openRoot(keys, role, device, blobs, "transit");
      own(root?.key);
      if (root === undefined) return { result: "refused", code: "join/blob-refused" };
      const { devEui, joinEui } = device;
      const context = sealingContext({ role, joinEui, devEui }, to);
      const kt = own(token.derive256(transport.key, context, "wrapping"));
      sealed.push({ role, joinEui, devEui, wrapped: toBase64(token.wrap(kt, root.key)) });
    }
    return {
      result: "exported",
      sealed: { version: sealedVersion, to, transport: toBase64(transport.ciphertext), keys: sealed },
    };
  });
}

/** A row for each root key that opens: what the blob says of its provenance is true, as another provenance would not open it. */
export function exposureOf<H>(keys: Keys<H>, rows: readonly Row[]): ExposureRow[] {
  return rows.flatMap(({ devEui, joinEui, blobs }) => {
    const device = { devEui, joinEui };
    const exportedTo = keys.table.exportedTo(device);
    return (rolesAtHand(keys, device, blobs) ?? []).flatMap((role): ExposureRow[] => {
      if (blobs === undefined) {
        const provenance = keys.table.masterKey(joinEui)?.origin ?? "derived";
        return [{ ...device, role, provenance, exportedTo }];
      }
      const root = openRoot(keys, role, device, blobs, "root");
      if (root === undefined) return [];
      keys.token.destroy(root.key);
      return [{ ...device, role, provenance: root.provenance, exportedTo }];
    });
  });
}
