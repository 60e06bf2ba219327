/** Devices of the benchmark: the i-th is the same wherever it is asked for. Their keys protect nothing. */
import { createHash } from "node:crypto";
import { KeySchedule } from "@trefoil/lorawan";

export const joinEui = "70b3d57ed0be0000";
export const devEuiOf = (i: number): string => (0x70b3d57e00000000n + BigInt(i)).toString(16).padStart(16, "0");
export const keyOf = (role: "AppKey" | "NwkKey", i: number): Uint8Array =>
  createHash("sha256").update(`trefoil-bench ${role} ${i}`).digest().subarray(0, 16);

const reversed = (hex: string): Uint8Array => Buffer.from(hex, "hex").reverse();
const joinEuiOnAir = reversed(joinEui);

/** MHDR ‖ JoinEUI8 ‖ DevEUI8 ‖ DevNonce2 ‖ MIC4, in hex. */
export function joinRequestOf(i: number, devNonce: number, is11: boolean): string {
  const phyPayload = Buffer.alloc(23);
  phyPayload.set(joinEuiOnAir, 1);
  phyPayload.set(reversed(devEuiOf(i)), 9);
  phyPayload.writeUInt16LE(devNonce, 17);
  const schedule = new KeySchedule(keyOf(is11 ? "NwkKey" : "AppKey", i));
  phyPayload.set(schedule.cmac(phyPayload.subarray(0, 19)).subarray(0, 4), 19);
  return phyPayload.toString("hex");
}
