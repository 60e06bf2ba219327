/**
 * Microchip's manifest: an array of signed secure elements (JWS), whose payload names the element and its certificates, and never a
 * LoRaWAN root key: those were put into the element and into a Join Server. So each row says whose they are and
 * what to ask for. Nothing of it is taken in, so its signatures are not checked.
 *
 * Format: Microchip, "Trust Platform Manifest File Format"; where the DevEUI stands: The Things Stack's pkg/devicetemplates/microchip.go.
 */
import { X509Certificate } from "node:crypto";
import type { RefusedRow } from "./rows.ts";

type Loose = { readonly [name: string]: unknown };

export const isManifestEntry = (value: Loose): boolean =>
  typeof value.payload === "string" && typeof value.signature === "string";

export function readManifestEntry(entry: Loose): RefusedRow {
  const element = elementOf(entry.payload as string);
  if (element === undefined)
    return { ok: false, code: "import/manifest", message: "its payload is not that of a secure element" };
  const devEui = devEuiOf(element);
  const name =
    typeof element.uniqueId === "string" && /^[0-9a-fA-F]{1,32}$/.test(element.uniqueId) ? element.uniqueId : "?";
  return { ok: false, ...(devEui ? { devEui } : {}), ...verdict(element, name) };
}

function verdict(element: Loose, name: string): Pick<RefusedRow, "code" | "message"> {
  if (keysOf(element.encryptedSecretKeySet).length > 0)
    return {
      code: "import/keys-encrypted",
      message: `secure element ${name}: its secret keys are encrypted for another receiver, who alone can open them: have that receiver seal them to this vault (docs/sealed-key.md)`,
    };
  const isLora = typeof element.partNumber === "string" && loraParts.test(element.partNumber);
  return {
    code: "import/keys-elsewhere",
    message: isLora
      ? `secure element ${name}: its root keys are in the Join Server that it was made for (of The Things Industries for serial numbers that end in 27, of Actility for 10): ask it to seal them to this vault, or leave its JoinEUI there`
      : `secure element ${name}: a manifest has certificates and public keys, no LoRaWAN root keys: seal them where they were made (docs/sealed-key.md)`,
  };
}

/** ATECC608 parts that are sold with LoRaWAN keys: TNGLORA, TNGACT and their order codes. */
const loraParts = /TNGLORA|TNGACT|MAH(?:TN|T3|T2|AL)/i;

function elementOf(payload: string): Loose | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Loose) : undefined;
  } catch {
    return undefined;
  }
}

function keysOf(set: unknown): readonly Loose[] {
  const keys = typeof set === "object" && set !== null ? (set as Loose).keys : undefined;
  return Array.isArray(keys) ? keys.filter((key) => typeof key === "object" && key !== null) : [];
}

/** In the element's certificate: the second part of a common name of three, or a serial number "eui64_…" in the alternative name. */
function devEuiOf(element: Loose): string | undefined {
  for (const { x5c } of keysOf(element.publicKeySet)) {
    const [first] = Array.isArray(x5c) ? x5c : [];
    if (typeof first !== "string") continue;
    const der = Buffer.from(first, "base64");
    const [, alternative] = /eui64_([0-9A-Fa-f]{16})/.exec(der.toString("latin1")) ?? [];
    const found = alternative ?? commonNamePart(der);
    if (found) return found.toLowerCase();
  }
  return undefined;
}

function commonNamePart(der: Buffer): string | undefined {
  try {
    const [, name = ""] = /^CN=(.*)$/m.exec(new X509Certificate(der).subject) ?? [];
    const parts = name.split(" ");
    return parts.length === 3 && /^[0-9A-Fa-f]{16}$/.test(parts[1] ?? "") ? parts[1] : undefined;
  } catch {
    return undefined;
  }
}
