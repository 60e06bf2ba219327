/** The join server's answer to AppSKeyReq, checked (TS002-1.0.0 §9). */
import { type AppSKeyReq, parseMessage } from "@trefoil/backend-interfaces";
import type { KeyEnvelope } from "@trefoil/wire";

export type AnsweredKey = { readonly appSKey: KeyEnvelope };

/** The envelope, or why there is none: a result code of TS002, or what is wrong with the answer. An answer to anything but `asked` is none. */
export function readAppSKeyAns(body: unknown, asked: AppSKeyReq): AnsweredKey | { readonly code: string } {
  const parsed = parseMessage(body);
  if (parsed.result === "refused") return { code: `malformed-answer/${parsed.wrong}` };
  const { message } = parsed;
  if (message.MessageType !== "AppSKeyAns") return { code: "malformed-answer/MessageType" };
  if (message.TransactionID !== asked.TransactionID) return { code: "malformed-answer/TransactionID" };
  if (message.Result.code !== "Success") return { code: message.Result.code };
  if (message.DevEUI !== undefined && message.DevEUI !== asked.DevEUI) return { code: "malformed-answer/DevEUI" };
  if (message.SessionKeyID !== undefined && message.SessionKeyID.toLowerCase() !== asked.SessionKeyID.toLowerCase())
    return { code: "malformed-answer/SessionKeyID" };
  if (message.AppSKey === undefined) return { code: "malformed-answer/AppSKey" };
  return { appSKey: message.AppSKey };
}
