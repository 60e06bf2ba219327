/** The HTTP side of TS002: bodies in, messages out, an outcome for everything. */
import { answerHeader, encodeMessage, type Header, type Message, parseMessage } from "@trefoil/backend-interfaces";
import type { HttpsAnswer, HttpsRequest } from "@trefoil/service";
import { type Handled, handleJoinReq, type JoinPorts } from "./join/handle.ts";
import { described, type Outcome, outcomes } from "./join/outcomes.ts";

/** A JoinReq has some hundred octets. */
export const bodyLimit = 64 * 1024;

/** Trouble of ours is a 503, malformed bodies a 400; what was understood and refused is a 200 with its Result, as peers expect. */
const status: { readonly [outcome in Outcome]?: number } = {
  "join/malformed": 400,
  "join/vault-unavailable": 503,
  "join/store-unavailable": 503,
};

export type OnOutcome = (handled: Handled, peer: string) => void;

export function interop(ports: JoinPorts, onOutcome: OnOutcome): (request: HttpsRequest) => Promise<HttpsAnswer> {
  return async ({ method, path, body, peer }) => {
    if (path.split("?")[0] !== "/") return { status: 404, body: { error: { code: "interop/no-such-path" } } };
    if (method !== "POST") return { status: 405, body: { error: { code: "interop/post-only" } } };
    const parsed = parseMessage(parseJson(body));
    const header: Partial<Header> = parsed.result === "parsed" ? parsed.message : parsed.header;
    const handled: Handled =
      parsed.result === "refused"
        ? { outcome: parsed.code === "InvalidProtocolVersion" ? "join/protocol-version" : "join/malformed" }
        : parsed.message.MessageType === "JoinReq"
          ? await handleJoinReq(parsed.message, peer, ports)
          : { outcome: "join/malformed" };
    onOutcome(handled, peer.fingerprint);
    const { outcome } = handled;
    return { status: status[outcome] ?? 200, body: handled.body ?? encodeMessage(refusal(header, outcome)) };
  };
}

/** A JoinAns without anything but its Result. */
function refusal(header: Partial<Header>, outcome: Outcome): Message {
  return {
    ...answerHeader(header, "JoinAns"),
    Result: { code: outcomes[outcome], description: described[outcome] ?? outcome },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
