/**
 * The text of a LoRaWAN device identification QR code:
 *   LW:D0:JoinEUI:DevEUI:ProfileID[:Oowner token][:Sserial number][:Pproprietary][:Cchecksum]
 * Extensions may come in any order, each once. The owner token is a claim secret: never log it. A key has no place here.
 *
 * Spec: TR005
 */
import { crc16QrCode } from "./crc16.ts";
import { type DevEui, type JoinEui, parseDevEui, parseJoinEui } from "./identifiers.ts";

export type QrCode = {
  readonly joinEui: JoinEui;
  readonly devEui: DevEui;
  /** 4 hex digits each, lower case. */
  readonly vendorId: string;
  readonly vendorProfileId: string;
  readonly ownerToken?: string;
  readonly serialNumber?: string;
  readonly proprietary?: string;
};
export type QrCodeRefusal =
  | "qr-code/not-lorawan"
  | "qr-code/schema"
  | "qr-code/join-eui"
  | "qr-code/dev-eui"
  | "qr-code/profile-id"
  | "qr-code/extension"
  | "qr-code/repeated-extension"
  | "qr-code/checksum";

const extensions = { O: "ownerToken", S: "serialNumber", P: "proprietary" } as const;
/** What QR codes hold in alphanumeric mode, without the colon that separates fields. */
const extensionText = /^[0-9A-Z $%*+\-./]+$/;

/** `hasChecksum` tells whether there was one; a wrong one is a refusal. */
export function parseQrCode(
  text: string,
): (QrCode & { readonly hasChecksum: boolean }) | { readonly reason: QrCodeRefusal } {
  const [scheme, schema, join, dev, profile, ...rest] = text.split(":");
  if (scheme !== "LW") return { reason: "qr-code/not-lorawan" };
  if (schema !== "D0") return { reason: "qr-code/schema" };
  const joinEui = parseJoinEui(join ?? "");
  if (!joinEui) return { reason: "qr-code/join-eui" };
  const devEui = parseDevEui(dev ?? "");
  if (!devEui) return { reason: "qr-code/dev-eui" };
  if (!/^[0-9a-fA-F]{8}$/.test(profile ?? "")) return { reason: "qr-code/profile-id" };
  const profileId = (profile ?? "").toLowerCase();

  const found: { [name in (typeof extensions)[keyof typeof extensions]]?: string } = {};
  let hasChecksum = false;
  for (const extension of rest) {
    const tag = extension.charAt(0);
    const value = extension.slice(1);
    if (tag === "C") {
      if (hasChecksum) return { reason: "qr-code/repeated-extension" };
      if (value.toUpperCase() !== checksum(textBeforeChecksum(text))) return { reason: "qr-code/checksum" };
      hasChecksum = true;
      continue;
    }
    const name = extensions[tag as keyof typeof extensions];
    if (!name || !extensionText.test(value)) return { reason: "qr-code/extension" };
    if (found[name] !== undefined) return { reason: "qr-code/repeated-extension" };
    found[name] = value;
  }
  return {
    joinEui,
    devEui,
    vendorId: profileId.slice(0, 4),
    vendorProfileId: profileId.slice(4),
    ...found,
    hasChecksum,
  };
}

export function printQrCode(code: QrCode, options: { readonly checksum?: boolean } = {}): string {
  const profileId = `${code.vendorId}${code.vendorProfileId}`;
  if (!/^[0-9a-f]{8}$/.test(profileId))
    throw new RangeError("vendorId and vendorProfileId are 4 lower-case hex digits each");
  let text = ["LW", "D0", code.joinEui, code.devEui, profileId].join(":").toUpperCase();
  for (const [tag, name] of Object.entries(extensions)) {
    const value = code[name];
    if (value === undefined) continue;
    if (!extensionText.test(value)) throw new RangeError(`${name} may hold digits, capitals and " $%*+-./"`);
    text += `:${tag}${value}`;
  }
  return options.checksum ? `${text}:C${checksum(text)}` : text;
}

const checksum = (text: string): string => crc16QrCode(text).toString(16).toUpperCase().padStart(4, "0");
/** The checksum covers all that stands before it. */
const textBeforeChecksum = (text: string): string => text.slice(0, text.indexOf(":C"));
