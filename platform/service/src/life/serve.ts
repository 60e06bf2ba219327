/**
 * The life of a process (docs/architecture.md): load, `preloaded`, `boot`, drop of rights, start, `ready`, stop.
 * platform/wire/src/boot.ts has the messages.
 */
import { Socket } from "node:net";
import type { Boot, FromChild, Role, ToChild } from "@trefoil/wire";
import type { Definition, UseVaultPipe } from "./definition.ts";
import { failureOfStart } from "./failures.ts";
import { becomeUser } from "./identity.ts";
import { describeError, type Log } from "./log.ts";
import { prepareService, type Running } from "./service.ts";

/** The supervisor kills after eight seconds. */
const longestStopMs = 7_000;
/** Where the supervisor puts the vault's end of its pipe (stdio of its child process). */
const vaultPipeFd = 4;

/** The vault's end of the pipe to the join-server. */
export const openVaultPipe = (): Socket => new Socket({ fd: vaultPipeFd, readable: true, writable: true });

/** Runs a server. The only call of its main.ts. */
export function serve<R extends Role, Hot extends string = never, Prepared = undefined>(
  definition: Definition<R, Hot, Prepared>,
): void {
  if (!process.send) {
    process.stderr.write(`The ${definition.role} is started by trefoil: run npm start.\n`);
    process.exit(2);
  }
  let running: Running | undefined;
  let log: Log | undefined;
  let stopping = false;

  const stop = () => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(1), longestStopMs).unref();
    Promise.resolve(running?.stop()).then(() => process.exit(0), die);
  };
  const die = (error: unknown) => {
    if (log) log.fatal({ err: error }, "ended by an error");
    else
      process.stderr.write(
        `${JSON.stringify({ level: "fatal", role: definition.role, err: describeError(error), msg: "ended by an error" })}\n`,
      );
    process.exit(1);
  };
  process.on("uncaughtException", die);
  process.on("unhandledRejection", die);
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("disconnect", stop);

  const pipes = vaultPipes();
  const booted = new Promise<Boot["boot"]>((resolve) => {
    process.on("message", (message: ToChild, handle: unknown) => {
      if ("boot" in message) resolve(message.boot);
      else if ("stop" in message) stop();
      else if ("vaultPipe" in message && handle instanceof Socket) pipes.arrived(handle, message.instance ?? 0);
    });
  });

  const run = async () => {
    const prepared = await prepareService(definition);
    tell({ preloaded: true });
    const boot = await booted;
    try {
      if (boot.identity) becomeUser(boot.identity);
      process.umask(0o077);
      running = await prepared.start(boot, { fail: die, onVaultPipe: pipes.onArrival });
    } catch (error) {
      await tell({ failed: failureOfStart(error, definition.role, boot.config) });
      return die(error);
    }
    log = running.log;
    log.info({ listeners: running.listeners }, "ready");
    await tell({ ready: { listeners: running.listeners } });
  };
  run().catch(die);
}

/** Never fails: where the supervisor is gone, `disconnect` says so. */
function tell(message: FromChild): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, {}, () => resolve());
    else resolve();
  });
}

/** A pipe may arrive before the server is ready for it: the latest one of each process of the vault waits. */
function vaultPipes() {
  const latest = new Map<number, Socket>();
  let use: UseVaultPipe | undefined;
  return {
    arrived: (pipe: Socket, instance: number) => {
      if (use) return use(pipe, instance);
      latest.get(instance)?.destroy();
      latest.set(instance, pipe);
    },
    onArrival: (callback: UseVaultPipe) => {
      use = callback;
      for (const [instance, pipe] of latest) callback(pipe, instance);
      latest.clear();
    },
  };
}
