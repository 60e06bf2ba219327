/** The key envelopes that were seen in messages, and which KEK opens each. */
import type { Secret } from "./needles.ts";
import type { Records } from "./records.ts";

export type Envelope = Secret & { readonly kind: "key envelope"; readonly openedBy: string };

/** How secrets that are KEKs are named. */
export const nameOfKek = (label: string) => `KEK ${label}`;

/** TS002 KeyEnvelope in JSON, in its own spelling and in ours, whichever member comes first. */
const patterns = [
  /"keklabel":"(?<label>[^"]+)","aeskey":"(?<key>[0-9a-f]{48,80})"/gi,
  /"aeskey":"(?<key>[0-9a-f]{48,80})","keklabel":"(?<label>[^"]+)"/gi,
];
const known = new Map<string, Envelope>();

export function envelopesIn(records: Records): readonly Envelope[] {
  const found = new Map<string, Envelope>();
  for (const { octets } of records.pieces()) {
    const text = Buffer.from(octets).toString("latin1");
    for (const pattern of patterns)
      for (const { groups } of text.matchAll(pattern)) {
        const { label = "", key = "" } = groups ?? {};
        const name = `envelope ${key.slice(0, 8)}… under ${label}`;
        const envelope: Envelope = known.get(name) ?? {
          ...{ kind: "key envelope", name, openedBy: nameOfKek(label) },
          octets: Uint8Array.from(Buffer.from(key, "hex")),
        };
        known.set(name, envelope);
        found.set(name, envelope);
      }
  }
  return [...found.values()];
}
