/** LoRaWAN Backend Interfaces (TS002): messages between servers of different owners. Pure: values in, values out. */
export type { KeyEnvelope, Result } from "./field.ts";
export {
  type AnswerType,
  type AppSKeyAns,
  type AppSKeyReq,
  answerTypeOf,
  type Header,
  type HomeNSAns,
  type HomeNSReq,
  isAnswerType,
  isMessageType,
  isRequestType,
  type JoinAns,
  type JoinReq,
  type Message,
  type MessageType,
  messages,
  type RejoinAns,
  type RejoinReq,
  type RequestType,
} from "./messages.ts";
export { answerHeader, encodeMessage, type ParsedMessage, parseMessage } from "./parse.ts";
export { type ResultCode, resultCodeOf, resultCodes, spelledIn } from "./result-code.ts";
export {
  type KeyScheme,
  keySchemeOf,
  type ProtocolVersion,
  parseProtocolVersion,
  protocolVersions,
  versionToAnswerIn,
} from "./version.ts";
