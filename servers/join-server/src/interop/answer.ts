/**
 * The HTTP side of TS002: bodies in, messages out, an outcome for everything. Who asks is known by its certificate; what it says of itself
 * must agree, before anything else is looked at.
 */
import {
  type AnswerType,
  answerHeader,
  answerTypeOf,
  encodeMessage,
  type Header,
  isAnswerType,
  isMessageType,
  isRequestType,
  type Message,
  parseMessage,
} from "@trefoil/backend-interfaces";
import type { HttpsAnswer, HttpsRequest } from "@trefoil/service";
import type { Audit, Detail } from "../audit.ts";
import { handleActivation, type JoinPorts } from "../join/handle.ts";
import { type Outcome, rowOf } from "../outcomes.ts";
import type { Peer } from "../standing.ts";
import type { Handled } from "./handled.ts";
import { handleAppSKeyReq, handleHomeNSReq } from "./requests.ts";
import { speaksAs } from "./sender.ts";

/** A JoinReq has some hundred octets. */
export const bodyLimit = 64 * 1024;

export type InteropPorts = JoinPorts & {
  readonly audit: Pick<Audit, "note">;
  /** Takes an answer that the peer wants by a POST of its own. */
  readonly postLater: (peer: Peer, json: string) => void;
};
export type OnOutcome = (handled: Handled, peer: Peer) => void;
export type Interop = {
  readonly handle: (request: HttpsRequest<Peer>) => Promise<HttpsAnswer>;
  readonly tooLarge: (peer: Peer) => HttpsAnswer;
};

export function interop(ports: InteropPorts, onOutcome: OnOutcome): Interop {
  const told = (handled: Handled, peer: Peer, header: Partial<Header>) => {
    onOutcome(handled, peer);
    const { audit } = rowOf(handled.outcome);
    if (audit) ports.audit.note(audit, handled.devEui ?? null, detailOf(handled, peer, header));
  };
  return {
    tooLarge(peer) {
      const handled: Handled = { outcome: "interop/too-large" };
      told(handled, peer, {});
      return { status: 413, json: refusal({}, "JoinAns", handled.outcome) };
    },
    async handle({ method, path, body, peer }) {
      if (path.split("?")[0] !== "/") return { status: 404, body: { error: { code: "interop/no-such-path" } } };
      if (method !== "POST") return { status: 405, body: { error: { code: "interop/post-only" } } };
      const parsed = parseMessage(parseJson(body));
      const header: Partial<Header> = parsed.result === "parsed" ? parsed.message : parsed.header;
      const handled: Handled = !ports.limits.peer.take(peer.fingerprint)
        ? { outcome: activations.has(header.MessageType) ? "join/limited" : "interop/limited" }
        : parsed.result === "parsed"
          ? await handleMessage(parsed.message, peer, ports)
          : { outcome: outcomeOfRefusal[parsed.code] ?? "join/malformed", detail: parsed.wrong };
      told(handled, peer, header);
      const answerType = answerTypeFor(header.MessageType);
      // Nothing answers a notification, or an answer.
      if (answerType === undefined) return { status: 204 };
      const json =
        handled.json ?? (handled.message ? text(handled.message) : refusal(header, answerType, handled.outcome));
      if (peer.url === undefined) return { status: rowOf(handled.outcome).status ?? 200, json };
      ports.postLater(peer, json);
      return { status: 202 };
    },
  };
}

async function handleMessage(message: Message, peer: Peer, ports: InteropPorts): Promise<Handled> {
  const as = speaksAs(message, peer);
  if (as === undefined) return { outcome: "join/unknown-sender" };
  const only = (asked: typeof as, handle: () => Handled | Promise<Handled>) =>
    as === asked ? handle() : { outcome: "join/unknown-sender" as const };
  switch (message.MessageType) {
    case "JoinReq":
    case "RejoinReq":
      return only("network", () => handleActivation(message, peer, ports));
    case "AppSKeyReq":
      return only("application", () => handleAppSKeyReq(message, peer, ports));
    case "HomeNSReq":
      return handleHomeNSReq(message, ports);
    case "ErrorNotif":
      return { outcome: "interop/error-notified", detail: message.Result?.code ?? "", ...ofDevice(message.DevEUI) };
    default:
      return { outcome: isAnswerType(message.MessageType) ? "interop/unasked-answer" : "interop/not-served" };
  }
}

const activations = new Set<string | undefined>(["JoinReq", "RejoinReq"]);
const ofDevice = (devEui: string | undefined) => (devEui === undefined ? {} : { devEui });
const outcomeOfRefusal: { readonly [code: string]: Outcome } = { InvalidProtocolVersion: "join/protocol-version" };

/** Whatever is no message at all is answered as the commonest one would be. */
function answerTypeFor(type: string | undefined): AnswerType | undefined {
  if (type === undefined || !isMessageType(type)) return "JoinAns";
  return isRequestType(type) ? answerTypeOf(type) : undefined;
}

const text = (message: Message): string => JSON.stringify(encodeMessage(message));

/** An answer without anything but its Result. */
function refusal(header: Partial<Header>, type: AnswerType, outcome: Outcome): string {
  const { code, told } = rowOf(outcome);
  return text({ ...answerHeader(header, type), Result: { code, description: told ?? outcome } } as Message);
}

function detailOf(
  { outcome, detail }: Handled,
  { name, fingerprint }: Peer,
  { MessageType, SenderID }: Partial<Header>,
): Detail {
  return {
    ...{ peer: name, fingerprint, outcome },
    ...(MessageType === undefined ? {} : { message: MessageType }),
    ...(SenderID === undefined || outcome !== "join/unknown-sender" ? {} : { senderId: SenderID }),
    ...(detail === undefined ? {} : { detail }),
  };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
