/** What is searched for: every key and payload, in every form. Pure. */
import { type Form, formNames, forms, isSchedule } from "./forms.ts";
import type { Kind } from "./policy.ts";

export type Secret = { readonly kind: Kind; readonly name: string; readonly octets: Uint8Array };
export type Needle = { readonly secret: Secret; readonly form: Form; readonly octets: Uint8Array };

/** Longer secrets (private keys) are searched by a part that gives them away as surely. */
const mostOctets = 32;
const known = new WeakMap<Secret, readonly Needle[]>();

/** All forms of all secrets. What two forms write alike (base64 without + or /) is searched once. */
export function needlesOf(secrets: readonly Secret[]): readonly Needle[] {
  return secrets.flatMap((secret) => {
    const needles = known.get(secret) ?? allForms(secret);
    known.set(secret, needles);
    return needles;
  });
}

/** Only keys are expanded; payloads and envelopes merely have the length of one. */
const isKey = (kind: Kind): boolean => kind !== "payload" && kind !== "key envelope" && kind !== "passphrase";

function allForms(secret: Secret): readonly Needle[] {
  const part = secret.octets.subarray(0, mostOctets);
  const needles = new Map<string, Needle>();
  for (const form of formNames) {
    if (isSchedule(form) && !isKey(secret.kind)) continue;
    for (const octets of forms[form](part)) {
      const text = octets.join();
      if (!needles.has(text)) needles.set(text, { secret, form, octets });
    }
  }
  return [...needles.values()];
}
