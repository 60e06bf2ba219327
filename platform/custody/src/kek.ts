/** KEKs are born at the server that will open envelopes with them, and leave it only sealed to the vault. */
import type { SealedKeys } from "@trefoil/wire";
import { isKekLabel, type LabelledKek } from "./envelope.ts";
import { isKeyLength, Key, makeKey } from "./key.ts";
import { secretOctets } from "./octets.ts";
import type { Receiver } from "./receiver.ts";
import { sealKeys } from "./sealing.ts";

const kekOctets = 32;
const head = "TREFOIL-KEK-1\0";

/** A new KEK, and the same sealed to the vault: what the realm owner signs a registration of. */
export function makeKekSealedTo(
  vault: Receiver,
  label: string,
): { readonly kek: LabelledKek; readonly sealed: SealedKeys } {
  const kek = { label, key: makeKey("KEK", kekOctets) };
  return { kek, sealed: sealKeys(vault, [{ key: kek.key }]) };
}

/** Contents of a server's own `kek.key` file (0600): head ‖ u8 length of label ‖ label ‖ KEK. The caller wipes it once written. */
export function encodeKekFile({ label, key }: LabelledKek): Uint8Array {
  if (!isKekLabel(label)) throw new RangeError("a KEK needs a label of 1 to 128 visible ASCII characters");
  const start = Buffer.concat([Buffer.from(head, "ascii"), Buffer.of(label.length), Buffer.from(label, "ascii")]);
  return key.expose((octets) => {
    const file = secretOctets(start.length + octets.length);
    file.set(start);
    file.set(octets, start.length);
    return file;
  });
}

/** Reads what encodeKekFile wrote, or `undefined`. The caller wipes the octets of the file. */
export function decodeKekFile(file: Uint8Array): LabelledKek | undefined {
  const text = (from: number, to: number) => String.fromCharCode(...file.subarray(from, to));
  if (text(0, head.length) !== head) return undefined;
  const end = head.length + 1 + (file[head.length] ?? 0);
  const label = text(head.length + 1, end);
  const octets = file.subarray(end);
  return isKekLabel(label) && isKeyLength("KEK", octets.length) ? { label, key: new Key("KEK", octets) } : undefined;
}
