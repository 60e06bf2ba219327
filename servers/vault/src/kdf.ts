/**
 * LORA-KDF-1: root keys of every device of a range from one AES-256 master key, in two steps that a token can do by CKM_AES_CBC_ENCRYPT_DATA
 * alone (docs/master-keys.md). A cascade of fixed depth over AES: the first step depends on purpose, epoch and extra, the second on the
 * device. Not a NIST derivation.
 */
import { createHash } from "node:crypto";
import { parseHex } from "@trefoil/custody";
import type { DeviceId, MasterKeyStatement } from "@trefoil/wire";
import { concat } from "./blocks.ts";

/** Two blocks: B1 ‖ 00…01, where B1 is the first half of SHA-256("LORA-KDF-1\0" purpose "\0" epoch4 extra). KL is derived with them. */
export function labelBlocks(
  purpose: string,
  { epoch, extra }: Pick<MasterKeyStatement, "epoch" | "extra">,
): Uint8Array {
  const counter = new Uint8Array(4);
  new DataView(counter.buffer).setUint32(0, epoch);
  const digest = createHash("sha256")
    .update(`LORA-KDF-1\0${purpose}\0`, "ascii")
    .update(counter)
    .update(parseHex(extra) ?? new Uint8Array(0))
    .digest();
  const second = new Uint8Array(16);
  second[15] = 1;
  return concat(digest.subarray(0, 16), second);
}

/** One block: JoinEUI8 ‖ DevEUI8, most significant first. A root key is derived with it from KL. */
export const deviceBlock = ({ joinEui, devEui }: DeviceId): Uint8Array =>
  concat(parseHex(joinEui) ?? [], parseHex(devEui) ?? []);
