/**
 * The join server's end of its pipe to the vault: pipelined, and re-attachable, as the supervisor makes a new pipe whenever it starts
 * the vault again. Requests that were under way when a pipe ended are asked once more on the next one; without a pipe every
 * request fails at once, so joins fail closed.
 */
import type { Duplex } from "node:stream";
import { Fault } from "@trefoil/store";
import { encodePipeFrame, readPipeFrames } from "./pipe.ts";
import { type Vault, type VaultAnswer, type VaultMethod, vaultMethods } from "./vault-port.ts";

export type VaultClientOptions = {
  /** Longest wait for one answer. */
  readonly answerWithinMs?: number;
  /** How long requests under way wait for a new pipe. */
  readonly reattachWithinMs?: number;
  /** Asked when the pipe ends: whether such a request can go to another process at once, instead of waiting for a new pipe. */
  readonly canGoElsewhere?: (method: VaultMethod) => boolean;
  /** Most requests under way: more are refused instead of piling up. */
  readonly maximumPending?: number;
};

export type VaultClient = Vault & {
  /** Takes a new pipe; the former is given up. */
  readonly attach: (pipe: Duplex) => void;
  readonly connected: boolean;
  readonly pending: number;
  /** Gives up: everything under way fails. */
  readonly close: () => void;
};

type Pending = {
  readonly method: VaultMethod;
  readonly body: unknown;
  readonly timer: NodeJS.Timeout;
  readonly settle: (answer: VaultAnswer | Fault) => void;
  sent: number;
};

const unreachable = (retry: "now" | "later") => new Fault("vault/unreachable", "the vault is not reachable", { retry });

export function vaultClient(first?: Duplex, options: VaultClientOptions = {}): VaultClient {
  const { answerWithinMs = 10_000, reattachWithinMs = 3_000, maximumPending = 10_000 } = options;
  const { canGoElsewhere = () => false } = options;
  const pending = new Map<number, Pending>();
  let pipe: Duplex | undefined;
  let lastId = 0;
  let giveUp: NodeJS.Timeout | undefined;

  const settle = (id: number, answer: VaultAnswer | Fault) => pending.get(id)?.settle(answer);
  const failAll = (select: (request: Pending) => boolean, fault: Fault) => {
    for (const request of [...pending.values()]) if (select(request)) request.settle(fault);
  };
  /** What is asked in one turn of the event loop goes in one write. */
  const send = (id: number, request: Pending) => {
    request.sent += 1;
    const to = pipe;
    if (to === undefined) return;
    if (to.writableCorked === 0) {
      to.cork();
      setImmediate(() => to.uncork());
    }
    to.write(encodePipeFrame({ id, method: request.method, body: request.body }));
  };

  function attach(next: Duplex): void {
    const former = pipe;
    pipe = next;
    clearTimeout(giveUp);
    former?.destroy();
    readPipeFrames(next, (value) => {
      if (isAnswer(value)) settle(value.id, value);
      else next.destroy();
    });
    next.on("error", () => next.destroy());
    next.once("close", () => {
      if (pipe === next) detach();
    });
    for (const [id, request] of pending) send(id, request);
  }

  function detach(): void {
    pipe = undefined;
    failAll(({ sent, method }) => sent > 1 || canGoElsewhere(method), unreachable("now"));
    giveUp = setTimeout(() => failAll(() => true, unreachable("now")), reattachWithinMs);
    giveUp.unref();
  }

  function ask(method: VaultMethod, body: unknown): Promise<unknown> {
    if (pipe === undefined) return Promise.reject(unreachable("later"));
    if (pending.size >= maximumPending)
      return Promise.reject(new Fault("vault/overloaded", "the vault has too much to do", { retry: "later" }));
    lastId += 1;
    const id = lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => settle(id, new Fault("vault/timeout", "the vault did not answer in time", { retry: "later" })),
        answerWithinMs,
      );
      const request: Pending = {
        method,
        body,
        timer,
        sent: 0,
        settle: (answer) => {
          clearTimeout(timer);
          pending.delete(id);
          if (answer instanceof Fault) reject(answer);
          else if ("fault" in answer)
            reject(new Fault(answer.fault, "the vault could not do it", { retry: answer.retry }));
          else resolve(answer.answer);
        },
      };
      pending.set(id, request);
      send(id, request);
    });
  }

  if (first !== undefined) attach(first);
  return {
    ...(Object.fromEntries(
      vaultMethods.map((method) => [method, (body: unknown) => ask(method, body)]),
    ) as unknown as Vault),
    attach,
    get connected() {
      return pipe !== undefined;
    },
    get pending() {
      return pending.size;
    },
    close() {
      const last = pipe;
      pipe = undefined;
      clearTimeout(giveUp);
      last?.destroy();
      failAll(() => true, unreachable("later"));
    },
  };
}

function isAnswer(value: unknown): value is VaultAnswer {
  if (typeof value !== "object" || value === null) return false;
  const { id, fault, retry } = value as { readonly [name: string]: unknown };
  return (
    typeof id === "number" &&
    ("answer" in value || (typeof fault === "string" && (retry === "now" || retry === "later" || retry === "never")))
  );
}
