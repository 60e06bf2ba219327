/** One established link: requests and answers of both sides over one TLS socket. It does not care who connected. */
import type { TLSSocket } from "node:tls";
import { Fault } from "@trefoil/store";
import { frameKind, type LinkRefusal, type LinkRequest } from "@trefoil/wire";
import type { Limited } from "../life/log.ts";
import { encodeFrames, FrameReader, type Incoming, type Kind, type Outgoing, outgoing } from "./frame.ts";
import { down, type Link, type LinkLimits, linkLimits, pingMethod, type RequestOptions } from "./link.ts";
import type { Methods } from "./method.ts";
import type { Peer } from "./tls.ts";

type Waiting = {
  readonly octets: number;
  readonly deadline: number;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (fault: Fault) => void;
};

/** Speaks on a socket whose peer is known. `methods` are what the peer may ask. */
export function openConnection(
  socket: TLSSocket,
  peer: Peer,
  methods: Methods,
  log: Limited,
  limits: LinkLimits = linkLimits,
): Link {
  const waiting = new Map<number, Waiting>();
  const reader = new FrameReader();
  let waitingOctets = 0;
  let answering = 0;
  let nextId = 1;
  let queue: Outgoing[] = [];
  let quietSweeps = 0;
  let closedBecause: string | undefined;
  let tellClosed: (reason: string) => void = () => {};
  const closed = new Promise<string>((resolve) => {
    tellClosed = resolve;
  });

  function close(reason = "link/closed"): void {
    if (closedBecause !== undefined) return;
    closedBecause = reason;
    clearInterval(sweeper);
    flush();
    socket.destroySoon();
    // A peer that reads no more would keep the socket open for ever.
    setTimeout(() => socket.destroy(), 1_000).unref();
    const fault = new Fault("link/lost", `the link to the ${peer.role} was lost before it answered`, {
      retry: "later",
      fields: { reason },
    });
    for (const { reject } of waiting.values()) reject(fault);
    waiting.clear();
    waitingOctets = 0;
    tellClosed(reason);
  }

  function send(frame: Outgoing): void {
    if (queue.push(frame) === 1) setImmediate(flush);
  }

  /** All frames of one turn of the event loop leave in one write. */
  function flush(): void {
    if (queue.length === 0) return;
    const frames = queue;
    queue = [];
    if (!socket.writable) return;
    socket.write(encodeFrames(frames));
    // A peer that asks but does not read.
    if (socket.writableLength > 4 * limits.mostOctets) close("link/stalled");
  }

  function request<Answer>(method: string, body: unknown, options: RequestOptions = {}): Promise<Answer> {
    if (closedBecause !== undefined) return Promise.reject(down(peer.role));
    const frame = outgoing(frameKind.request, nextId, { method, body } satisfies LinkRequest);
    if (!frame)
      return Promise.reject(new Fault("link/too-large", `${method} is larger than a frame may be`, { retry: "never" }));
    if (waiting.size >= limits.mostRequests || (waitingOctets + frame.octets > limits.mostOctets && waiting.size > 0)) {
      return Promise.reject(new Fault("link/overloaded", `the ${peer.role} does not answer as fast as it is asked`));
    }
    nextId = nextId === 0xffff_ffff ? 1 : nextId + 1;
    send(frame);
    waitingOctets += frame.octets;
    const deadline = performance.now() + (options.timeoutMs ?? limits.timeoutMs);
    return new Promise((resolve, reject) => {
      waiting.set(frame.id, { octets: frame.octets, deadline, resolve: resolve as (answer: unknown) => void, reject });
    });
  }

  function settle(id: number): Waiting | undefined {
    const asked = waiting.get(id);
    if (!asked) return undefined; // Answered after its deadline.
    waiting.delete(id);
    waitingOctets -= asked.octets;
    return asked;
  }

  function reply(kind: Kind, id: number, body: unknown): void {
    const frame =
      outgoing(kind, id, body) ?? outgoing(frameKind.refusal, id, { code: "link/too-large", retry: "never" });
    if (frame && closedBecause === undefined) send(frame);
  }

  function refuse(id: number, refusal: LinkRefusal): void {
    reply(frameKind.refusal, id, refusal);
  }

  async function answer(id: number, { method: name, body }: LinkRequest): Promise<void> {
    if (name === pingMethod) return reply(frameKind.answer, id, {});
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (!method) return refused(id, name, "link/unknown-method");
    if (answering >= limits.mostRequests) return refused(id, name, "link/overloaded", "later");
    const wrong = method.check(body);
    if (wrong !== undefined) return refused(id, name, "link/invalid-body", "never", wrong);
    answering++;
    try {
      reply(frameKind.answer, id, await method.handle(body, link));
    } catch (error) {
      if (error instanceof Fault) return refuse(id, { code: error.code, retry: error.retry });
      log.error({ peer: peer.role, method: name, err: error }, "a request of a peer failed");
      refuse(id, { code: "link/failed", retry: "later" });
    } finally {
      answering--;
    }
  }

  function refused(
    id: number,
    method: string,
    code: string,
    retry: LinkRefusal["retry"] = "never",
    wrong?: string,
  ): void {
    log.warn(
      { peer: peer.role, method: method.slice(0, 64), code, ...(wrong === undefined ? {} : { wrong }) },
      "a request of a peer was refused",
    );
    refuse(id, { code, retry });
  }

  function take({ kind, id, json }: Incoming): void {
    const body = parse(json);
    if (body === undefined || (kind === frameKind.request && !isRequest(body))) close("link/malformed");
    else if (kind === frameKind.request) void answer(id, body as LinkRequest);
    else if (kind === frameKind.answer) settle(id)?.resolve(body);
    else {
      const { code, retry } = refusalOf(body);
      if (id === 0) close(code);
      else settle(id)?.reject(new Fault(code, `the ${peer.role} refused (${code})`, { retry }));
    }
  }

  const sweepMs = Math.min(1_000, limits.pingMs / 2);
  const sweepsUntilPing = Math.ceil(limits.pingMs / sweepMs);
  const sweeper = setInterval(() => {
    const now = performance.now();
    for (const [id, { deadline }] of waiting) {
      if (deadline > now) continue;
      settle(id)?.reject(new Fault("link/timeout", `the ${peer.role} did not answer in time`));
    }
    // Counted, not timed: after a pause of this process itself, what the peer sent meanwhile is read before the next sweep.
    quietSweeps++;
    if (quietSweeps > 2 * sweepsUntilPing) close("link/silent");
    else if (quietSweeps >= sweepsUntilPing) request(pingMethod, {}).catch(() => undefined);
  }, sweepMs);

  socket.setNoDelay(true);
  socket.on("data", (chunk: Buffer) => {
    quietSweeps = 0;
    const frames = reader.push(chunk);
    if (frames === "link/malformed") return close(frames);
    for (const frame of frames) {
      if (closedBecause !== undefined) return;
      take(frame);
    }
  });
  socket.on("error", (error: NodeJS.ErrnoException) => close(error.code ?? "link/error"));
  socket.on("end", () => close("link/ended"));
  socket.on("close", () => close("link/ended"));

  const link: Link = {
    peer,
    request,
    closed,
    close,
    get waiting() {
      return { requests: waiting.size, octets: waitingOctets };
    },
  };
  return link;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

const isRequest = (body: unknown): body is LinkRequest =>
  typeof body === "object" && body !== null && typeof (body as { method?: unknown }).method === "string";

function refusalOf(body: unknown): LinkRefusal {
  const { code, retry } = (body ?? {}) as { code?: unknown; retry?: unknown };
  return {
    code: typeof code === "string" && /^[a-z0-9-]+\/[A-Za-z0-9_-]+$/.test(code) ? code : "link/refused",
    retry: retry === "now" || retry === "never" ? retry : "later",
  };
}
