/**
 * One running process of the network, seen from the supervisor: spawned, told its boot, ready or failed, gone.
 * Protocol: platform/wire/src/boot.ts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Address, Boot, FromChild, Role, ToChild } from "@trefoil/wire";
import { mainOf, nodeFlags } from "./node-flags.ts";

export type Listeners = { readonly [name: string]: Address };
export type StartFailure = { readonly code: string; readonly message: string; readonly retry: "later" | "never" };
export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** Why a child did not become ready. */
export class ChildFailed extends Error {
  readonly role: Role;
  readonly failure: StartFailure;
  readonly code: string;
  constructor(role: Role, failure: StartFailure) {
    super(`${role}: ${failure.message}`);
    this.role = role;
    this.failure = failure;
    this.code = failure.code;
  }
}

export type Child = {
  readonly role: Role;
  readonly pid: number;
  /** Our end of the vault's pipe, to be handed to the join-server; only the vault has one. */
  readonly pipe: Socket | undefined;
  /** Tells it what to be, once it has loaded. Resolves when it listens, rejects with `ChildFailed`. */
  boot(boot: Boot["boot"]): Promise<Listeners>;
  readonly exited: Promise<Exit>;
  /** Hands over a new pipe to a process of the vault. */
  giveVaultPipe(pipe: Socket, instance: number): void;
  /** Asks it to end; after `graceMs` it is killed. */
  stop(graceMs: number): Promise<Exit>;
};

/** Environment variables that a server sees: never the supervisor's own, which may hold anything. */
const environment = { PATH: process.env.PATH ?? "/usr/bin:/bin", NODE_ENV: "production", TZ: "UTC" };

type OnLine = (line: string, isError: boolean) => void;

/** Spawns a process, which loads its code and waits to be booted. `onLine` gets each line of its standard output and error. */
export function spawnChild(role: Role, dataDir: string, onLine: OnLine, moreFlags: readonly string[]): Child {
  const process_ = spawn(process.execPath, [...nodeFlags(dataDir), ...moreFlags, mainOf(role)], {
    cwd: "/",
    env: environment,
    // A group of its own: Ctrl-C in the terminal reaches the supervisor alone, which then stops all in order.
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc", ...(role === "vault" ? (["pipe"] as const) : [])],
  });
  readLines(process_, onLine);

  const exited = new Promise<Exit>((resolve) => {
    process_.once("exit", (code, signal) => resolve({ code, signal }));
    process_.once("error", () => resolve({ code: 1, signal: null }));
  });
  const preloaded = Promise.withResolvers<void>();
  const ready = new Promise<Listeners>((resolve, reject) => {
    process_.on("message", (message: FromChild | null) => {
      // A process that was taken over may send anything.
      if (typeof message !== "object" || message === null) return;
      if ("preloaded" in message) preloaded.resolve();
      else if ("ready" in message) resolve(message.ready.listeners);
      else if ("failed" in message) reject(new ChildFailed(role, message.failed));
    });
    void exited.then(({ code, signal }) =>
      reject(
        new ChildFailed(role, {
          code: "process/ended",
          message: `ended before it was ready (${signal ?? code})`,
          retry: "later",
        }),
      ),
    );
  });
  ready.catch(() => undefined); // Whoever waits for it sees the failure; nobody needs to.

  return {
    role,
    pid: process_.pid ?? -1,
    pipe: process_.stdio[4] as Socket | undefined,
    boot: (boot) => {
      void preloaded.promise.then(() => process_.send({ boot } satisfies Boot, ignoreSendError));
      return ready;
    },
    exited,
    giveVaultPipe: (pipe, instance) =>
      process_.send({ vaultPipe: true, instance } satisfies ToChild, pipe, {}, ignoreSendError),
    stop: async (graceMs) => {
      if (process_.exitCode === null && process_.signalCode === null) process_.send({ stop: true }, ignoreSendError);
      const timer = setTimeout(() => process_.kill("SIGKILL"), graceMs);
      const exit = await exited;
      clearTimeout(timer);
      return exit;
    },
  };
}

/** A message to a process that has just died is lost; its exit is what counts. */
function ignoreSendError() {}

function readLines(child: ChildProcess, onLine: OnLine) {
  for (const [stream, isError] of [
    [child.stdout, false],
    [child.stderr, true],
  ] as const) {
    if (stream)
      createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (line) =>
        onLine(line, isError),
      );
  }
}
