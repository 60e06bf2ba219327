/** LoRaWAN Backend Interfaces (TS002): messages between servers of different owners. Pure: values in, values out. */
export type { KeyEnvelope, Result } from "./field.ts";
export {
  type Header,
  isMessageType,
  type JoinAns,
  type JoinReq,
  type Message,
  type MessageType,
  messages,
} from "./messages.ts";
export { answerHeader, encodeMessage, type ParsedMessage, parseMessage } from "./parse.ts";
export { type ResultCode, resultCodeOf, resultCodes, spelledIn } from "./result-code.ts";
export {
  type KeyScheme,
  keySchemeOf,
  type ProtocolVersion,
  parseProtocolVersion,
  protocolVersions,
} from "./version.ts";
