/** Messages to and from JSON values. Whatever a peer sends ends in an outcome; nothing here throws but encoding what cannot be sent. */
import { encodeFields, isRecord, parseFields } from "./field.ts";
import { type Header, headerFields, isMessageType, type Message, type MessageType, messages } from "./messages.ts";
import type { ResultCode } from "./result-code.ts";
import { type ProtocolVersion, parseProtocolVersion, versionToAnswerIn } from "./version.ts";

export type ParsedMessage =
  | { readonly result: "parsed"; readonly message: Message }
  /** `header` is what could be read of it, so that the refusal can be addressed. `wrong` names the field. */
  | { readonly result: "refused"; readonly code: ResultCode; readonly wrong: string; readonly header: Partial<Header> };

/** Parses one message (what JSON.parse gave). */
export function parseMessage(value: unknown): ParsedMessage {
  const refuse = (code: ResultCode, wrong: string, header: Partial<Header> = {}) =>
    ({ result: "refused", code, wrong, header }) as const;
  if (!isRecord(value)) return refuse("MalformedRequest", "body");

  const header = parseFields(headerFields, value);
  if ("wrong" in header) {
    // A version that is not spoken is the one thing about a header that has a result code of its own.
    const code =
      header.wrong === "ProtocolVersion" && typeof value.ProtocolVersion === "string"
        ? "InvalidProtocolVersion"
        : "MalformedRequest";
    return refuse(code, header.wrong, {
      ...readable(value),
      ProtocolVersion: versionToAnswerIn(value.ProtocolVersion),
    });
  }
  const { MessageType } = header.values;
  if (!isMessageType(MessageType)) return refuse("MalformedRequest", "MessageType", header.values);

  const body = parseFields(messages[MessageType], value);
  if ("wrong" in body) return refuse("MalformedRequest", body.wrong, header.values);
  return { result: "parsed", message: { ...header.values, ...body.values, MessageType } as Message };
}

/** Those header fields that are right, for the refusal of a message whose header is not. */
function readable(value: { readonly [name: string]: unknown }): Partial<Header> {
  const fields = Object.entries(headerFields).map(([name, field]) => [name, field.parse(value[name])] as const);
  return Object.fromEntries(fields.filter(([, parsed]) => parsed !== undefined));
}

/** The JSON value of a message, spelled as its ProtocolVersion wants. Throws `RangeError` when it would not read back. */
export function encodeMessage(message: Message): { readonly [name: string]: unknown } {
  const version = message.ProtocolVersion;
  return {
    ...encodeFields(headerFields, message, version),
    ...encodeFields(messages[message.MessageType], message as never, version),
  };
}

/** The header of an answer: sender and receiver changed places, the transaction kept, the token given back. */
export function answerHeader<Type extends MessageType>(
  request: Partial<Header>,
  type: Type,
): Omit<Header, "MessageType"> & { readonly MessageType: Type } {
  const version: ProtocolVersion = parseProtocolVersion(request.ProtocolVersion) ?? "1.0";
  return {
    ProtocolVersion: version,
    SenderID: request.ReceiverID ?? "unknown",
    ReceiverID: request.SenderID ?? "unknown",
    TransactionID: request.TransactionID ?? 0,
    MessageType: type,
    ...(request.SenderToken === undefined ? {} : { ReceiverToken: request.SenderToken }),
    ...(request.SenderNSID === undefined ? {} : { ReceiverNSID: request.SenderNSID }),
    ...(request.ReceiverNSID === undefined ? {} : { SenderNSID: request.ReceiverNSID }),
  };
}
