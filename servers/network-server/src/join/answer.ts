/** The join-server's answer, checked (TS002 JoinAns): what a session needs, or why there is none. */

import { type JoinAns, type JoinReq, parseMessage } from "@trefoil/backend-interfaces";
import { type LabelledKek, openEnvelope, secretOctets } from "@trefoil/custody";
import type { KeyEnvelope, MacVersion } from "@trefoil/wire";
import { networkKeyRoles } from "../devices/keys.ts";
import type { Outcome } from "../outcomes.ts";

export type Joined = {
  /** The join-accept. */
  readonly phyPayload: Uint8Array;
  /** In the order of the column `keys`; the caller wipes them. */
  readonly keys: Uint8Array;
  readonly appSKey: KeyEnvelope;
  readonly sessionKeyId: string;
};
export type NotJoined = { readonly outcome: Outcome; readonly detail: string };
const not = (outcome: Outcome, detail: string): NotJoined => ({ outcome, detail });

/** `keks`: this network's own; no other can open the envelopes. */
export function readJoinAnswer(
  body: unknown,
  asked: JoinReq,
  macVersion: MacVersion,
  keks: readonly LabelledKek[],
): Joined | NotJoined {
  const parsed = parseMessage(body);
  if (parsed.result === "refused") return not("join/malformed-answer", parsed.wrong);
  const { message } = parsed;
  if (message.MessageType !== "JoinAns") return not("join/malformed-answer", "MessageType");
  if (message.TransactionID !== asked.TransactionID) return not("join/malformed-answer", "TransactionID");
  if (message.Result.code !== "Success") return not("join/refused", message.Result.code);

  const roles = networkKeyRoles(macVersion);
  // A join-server that took the device for one of 1.0.x must not make it one (OptNeg, LoRaWAN 1.1 §6.2.3).
  if (roles.length > 1 && message.NwkSKey) return not("join/downgraded", "NwkSKey");
  const missing = [...roles, "AppSKey" as const, "PHYPayload" as const].find((name) => message[name] === undefined);
  if (missing) return not("join/malformed-answer", missing);
  const phyPayload = Buffer.from(message.PHYPayload ?? "", "hex");
  if (phyPayload[0] !== 0x20 || (phyPayload.length !== 17 && phyPayload.length !== 33))
    return not("join/malformed-answer", "PHYPayload");

  const keys = openKeys(message, roles, keks);
  if (!(keys instanceof Uint8Array)) return keys;
  const sessionKeyId = message.SessionKeyID;
  if (sessionKeyId === undefined) return not("join/malformed-answer", "SessionKeyID");
  return { phyPayload, keys, appSKey: message.AppSKey as KeyEnvelope, sessionKeyId };
}

function openKeys(
  message: JoinAns,
  roles: ReturnType<typeof networkKeyRoles>,
  keks: readonly LabelledKek[],
): Uint8Array | NotJoined {
  const keys = secretOctets(roles.length * 16);
  for (const [i, role] of roles.entries()) {
    const opened = openEnvelope(keks, message[role], role);
    if (opened.result === "refused") {
      keys.fill(0);
      return not("join/keys", opened.code);
    }
    opened.key.expose((octets) => keys.set(octets, i * 16));
    opened.key[Symbol.dispose]();
  }
  return keys;
}
