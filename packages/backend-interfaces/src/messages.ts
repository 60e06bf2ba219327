/**
 * The messages between servers of different owners: one row per message, in the specification's words.
 * To support another message, add a row. Its type, parser and encoder follow from it.
 *
 * Spec: TS002-1.0.0 §8, TS002-1.1.0
 */
import {
  type Field,
  type Fields,
  hex,
  keyEnvelope,
  optional,
  result,
  sessionKeyId,
  text,
  uint,
  type Values,
} from "./field.ts";
import { type ProtocolVersion, parseProtocolVersion } from "./version.ts";

const u32 = 0xffff_ffff;
const version: Field<ProtocolVersion> = { parse: parseProtocolVersion, encode: (value) => value };

/** Common to all messages. SenderID and ReceiverID: a NetID or JoinEUI in hexadecimal, or an AS-ID. */
export const headerFields = {
  ProtocolVersion: version,
  SenderID: text(),
  ReceiverID: text(),
  TransactionID: uint(u32),
  MessageType: text(64),
  SenderToken: optional(text(1024)),
  ReceiverToken: optional(text(1024)),
  /* 1.1. Eight octets; The Things Stack before 3.17 put its NetID there. */
  SenderNSID: optional(hex(undefined, 8)),
  ReceiverNSID: optional(hex(undefined, 8)),
} as const satisfies Fields;
export type Header = Values<typeof headerFields>;

/** What the network server asks and learns about a join-request or rejoin-request. */
const activationRequest = {
  MACVersion: text(16),
  PHYPayload: hex(),
  DevEUI: hex(8),
  DevAddr: hex(4),
  DLSettings: hex(1),
  RxDelay: uint(15),
  CFList: optional(hex(16)),
} as const satisfies Fields;
const activationAnswer = {
  Result: result,
  PHYPayload: optional(hex()),
  /** Seconds. Absent or 0: until the next join. */
  Lifetime: optional(uint(u32)),
  SNwkSIntKey: optional(keyEnvelope),
  FNwkSIntKey: optional(keyEnvelope),
  NwkSEncKey: optional(keyEnvelope),
  NwkSKey: optional(keyEnvelope),
  AppSKey: optional(keyEnvelope),
  SessionKeyID: optional(sessionKeyId),
} as const satisfies Fields;

/** Messages of roaming and data, between network servers and application servers: read and refused by name, nothing more. */
const onlyHeader = {} as const satisfies Fields;
const onlyResult = { Result: result } as const satisfies Fields;

export const messages = {
  JoinReq: activationRequest,
  JoinAns: activationAnswer,
  RejoinReq: activationRequest,
  RejoinAns: activationAnswer,
  AppSKeyReq: { DevEUI: hex(8), SessionKeyID: sessionKeyId },
  AppSKeyAns: {
    Result: result,
    DevEUI: optional(hex(8)),
    AppSKey: optional(keyEnvelope),
    SessionKeyID: optional(sessionKeyId),
  },
  HomeNSReq: { DevEUI: hex(8) },
  /* HNSID: 1.1 */
  HomeNSAns: { Result: result, HNetID: optional(hex(3)), HNSID: optional(hex(undefined, 8)) },
  /* 1.1: about an earlier message. Nothing answers it. */
  ErrorNotif: { Result: optional(result), DevEUI: optional(hex(8)) },

  PRStartReq: onlyHeader,
  PRStartAns: onlyResult,
  PRStopReq: onlyHeader,
  PRStopAns: onlyResult,
  HRStartReq: onlyHeader,
  HRStartAns: onlyResult,
  HRStopReq: onlyHeader,
  HRStopAns: onlyResult,
  ProfileReq: onlyHeader,
  ProfileAns: onlyResult,
  XmitDataReq: onlyHeader,
  XmitDataAns: onlyResult,
  XmitLocReq: onlyHeader,
  XmitLocAns: onlyResult,
} as const satisfies { readonly [type: string]: Fields };
export type MessageType = keyof typeof messages;

type Table = typeof messages;
type Common = Omit<Header, "MessageType">;
/** `{ MessageType: "JoinReq", DevEUI: string, … } | { MessageType: "JoinAns", Result: Result, … } | …` */
export type Message<Type extends MessageType = MessageType> = {
  [T in Type]: { readonly MessageType: T } & Common & Values<Table[T]>;
}[Type];
export type JoinReq = Message<"JoinReq">;
export type JoinAns = Message<"JoinAns">;
export type RejoinReq = Message<"RejoinReq">;
export type RejoinAns = Message<"RejoinAns">;
export type AppSKeyReq = Message<"AppSKeyReq">;
export type AppSKeyAns = Message<"AppSKeyAns">;
export type HomeNSReq = Message<"HomeNSReq">;
export type HomeNSAns = Message<"HomeNSAns">;

export const isMessageType = (value: string): value is MessageType => Object.hasOwn(messages, value);

type Stem<Type extends MessageType> = Type extends `${infer S}Req` ? S : never;
export type RequestType = `${Stem<MessageType>}Req`;
export type AnswerType = `${Stem<MessageType>}Ans`;
export const isRequestType = (type: MessageType): type is RequestType => type.endsWith("Req");
export const isAnswerType = (type: MessageType): type is AnswerType => type.endsWith("Ans");
/** The message that answers: JoinReq → JoinAns. */
export const answerTypeOf = (type: RequestType): AnswerType => type.replace(/Req$/, "Ans") as AnswerType;
