/**
 * Starts every process of the network in order, watches them, restarts what ends (with back-off, on the same ports), and stops all.
 *
 * Its one surprising thing: the join-server and each process of the vault share a pipe that the supervisor makes. A new vault process gives
 * the running join-server a new pipe; a new join-server needs new vault processes, since the pipes' other ends died with the old one.
 */
import type { Boot, Role } from "@trefoil/wire";
import { type BackOff, freshBackOff, nextDelay } from "./back-off.ts";
import { type Child, ChildFailed, type Listeners, spawnChild } from "./child.ts";
import type { ProcessName, ProcessToRun } from "./processes.ts";

export type SupervisorEvent =
  | { readonly is: "started"; readonly process: ProcessName; readonly pid: number; readonly restarts: number }
  | { readonly is: "ended"; readonly process: ProcessName; readonly how: string; readonly restartInMs: number }
  | { readonly is: "failed"; readonly process: ProcessName; readonly code: string; readonly message: string };

export type SupervisorOptions = {
  readonly processes: readonly ProcessToRun[];
  /** What each process boots with. `peers` and `instance` are filled in here. */
  readonly bootOf: (role: Role) => Omit<Boot["boot"], "peers" | "role" | "instance">;
  /** Node's arguments that one role's processes need and others do not. */
  readonly flagsOf?: (role: Role) => readonly string[];
  readonly onLine: (process: ProcessName, line: string, isError: boolean) => void;
  readonly onEvent: (event: SupervisorEvent) => void;
  /** The set of running processes changed. */
  readonly onChange?: (running: Running) => void;
  /** Something that only a person can mend happened to a restarted process. */
  readonly onHopeless: (failure: ChildFailed) => void;
  /** A process that lived this long ended for a new reason: its back-off starts anew. */
  readonly livedWellMs?: number;
  /** More arguments for the Node of every process: the proof of custody's (src/custody), and nobody else's. */
  readonly nodeFlags?: readonly string[];
};
type RunningProcess = { readonly pid: number; readonly listeners: Listeners };
export type Running = { readonly [name in ProcessName]?: RunningProcess };
export type Supervisor = { readonly running: () => Running; readonly stop: () => Promise<void> };

const stopGraceMs = 8_000;

type Slot = {
  readonly process: ProcessToRun;
  child: Child | undefined;
  listeners: Listeners;
  backOff: BackOff;
  restarts: number;
  startedAt: number;
};

/** Starts the network. Rejects with `ChildFailed` (and leaves nothing running) when a process cannot start. */
export async function supervise(options: SupervisorOptions): Promise<Supervisor> {
  const slots = options.processes.map(
    (process): Slot => ({
      process,
      child: undefined,
      listeners: {},
      backOff: freshBackOff,
      restarts: 0,
      startedAt: 0,
    }),
  );
  const slotsOf = (role: Role) => slots.filter(({ process }) => process.role === role);
  const oneVaultAtATime = inTurns();
  let stopping = false;
  const stopAsked = Promise.withResolvers<void>();

  const running = (): Running =>
    Object.fromEntries(
      slots.flatMap(({ process, child, listeners }) => (child ? [[process.name, { pid: child.pid, listeners }]] : [])),
    );

  const spawnFor = ({ role, name }: ProcessToRun) =>
    spawnChild(role, options.bootOf(role).dataDir, (line, isError) => options.onLine(name, line, isError), [
      ...(options.flagsOf?.(role) ?? []),
      ...(options.nodeFlags ?? []),
    ]);

  async function start(slot: Slot, child = spawnFor(slot.process)): Promise<void> {
    const { role, name, calls, instance } = slot.process;
    const base = options.bootOf(role);
    const peers = Object.fromEntries(
      calls.map((call) => [call.role, slotsOf(call.role)[0]?.listeners[call.listener]] as const),
    );
    slot.child = child;
    slot.startedAt = Date.now();
    if (role === "join-server") for (const vault of slotsOf("vault")) giveVaultPipe(vault, slot);
    const config = withPorts(base.config, slot.listeners);
    try {
      slot.listeners = await child.boot({
        ...base,
        role,
        config,
        peers,
        ...(role === "vault" ? { instance } : {}),
      });
    } catch (failure) {
      await child.stop(0);
      slot.child = undefined;
      throw failure;
    }
    if (role === "vault") for (const joinServer of slotsOf("join-server")) giveVaultPipe(slot, joinServer);
    void child.exited.then((exit) => ended(slot, child, exit.signal ?? `exit code ${exit.code}`));
    options.onEvent({ is: "started", process: name, pid: child.pid, restarts: slot.restarts });
    options.onChange?.(running());
  }

  async function ended(slot: Slot, child: Child, how: string): Promise<void> {
    if (stopping || slot.child !== child) return;
    slot.child = undefined;
    if (slot.process.role === "join-server") for (const vault of slotsOf("vault")) void vault.child?.stop(stopGraceMs);
    await restart(slot, how);
  }

  /** Tries until the process runs again, or the supervisor stops, or a person is needed. */
  async function restart(slot: Slot, how: string): Promise<void> {
    const { role, name } = slot.process;
    const next = nextDelay(slot.backOff, Date.now() - slot.startedAt, options.livedWellMs);
    slot.backOff = next.state;
    slot.restarts++;
    options.onEvent({ is: "ended", process: name, how, restartInMs: next.delayMs });
    await Promise.race([new Promise((resolve) => setTimeout(resolve, next.delayMs).unref()), stopAsked.promise]);
    try {
      // Tokens are opened by one process after another: modules are not trusted to bear more.
      await (role === "vault" ? oneVaultAtATime : atOnce)(async () => {
        if (!stopping) await start(slot);
      });
    } catch (error) {
      const failure = asChildFailed(role, error);
      options.onEvent({ is: "failed", process: name, ...failure.failure });
      if (failure.failure.retry === "never") options.onHopeless(failure);
      else await restart(slot, "did not start");
    }
  }

  async function stop(): Promise<void> {
    stopping = true;
    stopAsked.resolve();
    for (const slot of [...slots].reverse()) await slot.child?.stop(stopGraceMs);
  }

  // All load their code at once; they are booted in order.
  const spawned = slots.map((slot) => ({ slot, child: spawnFor(slot.process) }));
  try {
    for (const { slot, child } of spawned) await start(slot, child);
  } catch (error) {
    await stop();
    await Promise.all(spawned.map(({ child }) => child.stop(0)));
    throw error;
  }
  return { running, stop };
}

function giveVaultPipe(vault: Slot, joinServer: Slot) {
  const pipe = vault.child?.pipe;
  if (pipe && !pipe.destroyed) joinServer.child?.giveVaultPipe(pipe, vault.process.instance);
}

const atOnce = (task: () => Promise<void>) => task();

/** Runs tasks one after another. One that fails does not stop the next. */
function inTurns() {
  let last: Promise<void> = Promise.resolve();
  return (task: () => Promise<void>): Promise<void> => {
    const mine = last.then(task);
    last = mine.catch(() => undefined);
    return mine;
  };
}

/** A restarted server listens where it listened before, so that its callers find it again. Listeners are named like their configuration. */
function withPorts(config: unknown, listeners: Listeners): unknown {
  if (typeof config !== "object" || config === null) return config;
  const kept = Object.entries(listeners).filter(([name]) => name in config);
  return {
    ...config,
    ...Object.fromEntries(
      kept.map(([name, { host, port }]) => [name, { ...(config as Record<string, object>)[name], host, port }]),
    ),
  };
}

function asChildFailed(role: Role, error: unknown): ChildFailed {
  if (error instanceof ChildFailed) return error;
  return new ChildFailed(role, { code: "process/ended", message: String(error), retry: "later" });
}
