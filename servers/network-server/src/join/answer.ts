/** The join-server's answer, checked (TS002 JoinAns, RejoinAns): what a session needs, or why there is none. */

import {
  answerTypeOf,
  type JoinAns,
  type JoinReq,
  parseMessage,
  type RejoinAns,
  type RejoinReq,
} from "@trefoil/backend-interfaces";
import { type LabelledKek, openEnvelope, secretOctets } from "@trefoil/custody";
import type { KeyEnvelope, MacVersion } from "@trefoil/wire";
import { networkKeyRoles } from "../devices/keys.ts";

export type Joined = {
  /** The join-accept. */
  readonly phyPayload: Uint8Array;
  /** In the order of the column `keys`; the caller wipes them. */
  readonly keys: Uint8Array;
  /** Under which KEK they came. */
  readonly kekLabel: string;
  /** Absent where the application-server asks for it: then there is a SessionKeyID. */
  readonly appSKey?: KeyEnvelope;
  readonly sessionKeyId?: string;
};
/** The end of a slug of outcomes.ts. */
export type WhyNot = "refused" | "malformed-answer" | "keys" | "downgraded";
export type NotJoined = { readonly why: WhyNot; readonly detail: string };
const not = (why: WhyNot, detail: string): NotJoined => ({ why, detail });

/** `keks`: this network's own; no other can open the envelopes. An answer to anything but `asked` is none (TS002-1.0.0 §8.2). */
export function readJoinAnswer(
  body: unknown,
  asked: JoinReq | RejoinReq,
  macVersion: MacVersion,
  keks: readonly LabelledKek[],
): Joined | NotJoined {
  const parsed = parseMessage(body);
  if (parsed.result === "refused") return not("malformed-answer", parsed.wrong);
  const { message } = parsed;
  if (message.MessageType !== answerTypeOf(asked.MessageType)) return not("malformed-answer", "MessageType");
  if (message.TransactionID !== asked.TransactionID) return not("malformed-answer", "TransactionID");
  return readSession(message as JoinAns | RejoinAns, macVersion, keks);
}

function readSession(
  message: JoinAns | RejoinAns,
  macVersion: MacVersion,
  keks: readonly LabelledKek[],
): Joined | NotJoined {
  if (message.Result.code !== "Success") return not("refused", message.Result.code);

  const roles = networkKeyRoles(macVersion);
  // A join-server that took the device for one of 1.0.x must not make it one (OptNeg, LoRaWAN 1.1 §6.2.3).
  if (roles.length > 1 && message.NwkSKey) return not("downgraded", "NwkSKey");
  const missing = [...roles, "PHYPayload" as const].find((name) => message[name] === undefined);
  if (missing) return not("malformed-answer", missing);
  const phyPayload = Buffer.from(message.PHYPayload ?? "", "hex");
  if (phyPayload[0] !== 0x20 || (phyPayload.length !== 17 && phyPayload.length !== 33))
    return not("malformed-answer", "PHYPayload");
  // One of the two, or both: else nobody can ever read what the device says.
  const { AppSKey: appSKey, SessionKeyID: sessionKeyId } = message;
  if (appSKey === undefined && sessionKeyId === undefined) return not("malformed-answer", "SessionKeyID");

  const keys = openKeys(message, roles, keks);
  if (!(keys instanceof Uint8Array)) return keys;
  return {
    phyPayload,
    keys,
    kekLabel: (message[roles[0]] as KeyEnvelope).kekLabel,
    ...(appSKey === undefined ? {} : { appSKey }),
    ...(sessionKeyId === undefined ? {} : { sessionKeyId }),
  };
}

function openKeys(
  message: JoinAns | RejoinAns,
  roles: ReturnType<typeof networkKeyRoles>,
  keks: readonly LabelledKek[],
): Uint8Array | NotJoined {
  const keys = secretOctets(roles.length * 16);
  for (const [i, role] of roles.entries()) {
    const opened = openEnvelope(keks, message[role], role);
    if (opened.result === "refused") {
      keys.fill(0);
      return not("keys", opened.code);
    }
    opened.key.expose((octets) => keys.set(octets, i * 16));
    opened.key[Symbol.dispose]();
  }
  return keys;
}
