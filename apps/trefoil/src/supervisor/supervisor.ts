/**
 * Starts every process of the network in order, watches them, restarts what ends (with back-off, on the same ports), and stops all.
 *
 * Its one surprising thing: the join-server and the vault share a pipe that the supervisor makes. A new vault gives the running join-server
 * a new pipe; a new join-server needs a new vault, since the old one's other end died with the old join-server.
 */
import type { Boot, Role } from "@trefoil/wire";
import { type BackOff, freshBackOff, nextDelay } from "./back-off.ts";
import { type Child, ChildFailed, type Listeners, spawnChild } from "./child.ts";
import { type ProcessRow, processes } from "./processes.ts";

export type SupervisorEvent =
  | { readonly is: "started"; readonly role: Role; readonly pid: number; readonly restarts: number }
  | { readonly is: "ended"; readonly role: Role; readonly how: string; readonly restartInMs: number }
  | { readonly is: "failed"; readonly role: Role; readonly code: string; readonly message: string };

export type SupervisorOptions = {
  /** What each process boots with. `peers` is filled in here. */
  readonly bootOf: (role: Role) => Omit<Boot["boot"], "peers" | "role">;
  readonly onLine: (role: Role, line: string, isError: boolean) => void;
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
export type Running = { readonly [role in Role]?: { readonly pid: number; readonly listeners: Listeners } };
export type Supervisor = { readonly running: () => Running; readonly stop: () => Promise<void> };

const stopGraceMs = 8_000;

type Slot = {
  row: ProcessRow;
  child: Child | undefined;
  listeners: Listeners;
  backOff: BackOff;
  restarts: number;
  startedAt: number;
};

/** Starts the network. Rejects with `ChildFailed` (and leaves nothing running) when a process cannot start. */
export async function supervise(options: SupervisorOptions): Promise<Supervisor> {
  const slots = new Map<Role, Slot>(
    processes.map((row) => [
      row.role,
      { row, child: undefined, listeners: {}, backOff: freshBackOff, restarts: 0, startedAt: 0 },
    ]),
  );
  const slotOf = (role: Role) => slots.get(role) as Slot;
  let stopping = false;
  const stopAsked = Promise.withResolvers<void>();

  const running = (): Running =>
    Object.fromEntries(
      [...slots.values()].flatMap(({ row, child, listeners }) =>
        child ? [[row.role, { pid: child.pid, listeners }]] : [],
      ),
    );

  const spawnFor = (role: Role) => spawnChild(role, options.bootOf(role).dataDir, options.onLine, options.nodeFlags);

  async function start(slot: Slot, child = spawnFor(slot.row.role)): Promise<void> {
    const { role, calls } = slot.row;
    const base = options.bootOf(role);
    const peers = Object.fromEntries(calls.map((call) => [call.role, slotOf(call.role).listeners[call.listener]]));
    slot.child = child;
    slot.startedAt = Date.now();
    if (role === "join-server") giveVaultPipe(slotOf("vault").child, child);
    try {
      slot.listeners = await child.boot({ ...base, role, config: withPorts(base.config, slot.listeners), peers });
    } catch (failure) {
      await child.stop(0);
      slot.child = undefined;
      throw failure;
    }
    if (role === "vault") giveVaultPipe(child, slotOf("join-server").child);
    void child.exited.then((exit) => ended(slot, child, exit.signal ?? `exit code ${exit.code}`));
    options.onEvent({ is: "started", role, pid: child.pid, restarts: slot.restarts });
    options.onChange?.(running());
  }

  async function ended(slot: Slot, child: Child, how: string): Promise<void> {
    if (stopping || slot.child !== child) return;
    slot.child = undefined;
    if (slot.row.role === "join-server") void slotOf("vault").child?.stop(stopGraceMs);
    await restart(slot, how);
  }

  /** Tries until the process runs again, or the supervisor stops, or a person is needed. */
  async function restart(slot: Slot, how: string): Promise<void> {
    const { role } = slot.row;
    const next = nextDelay(slot.backOff, Date.now() - slot.startedAt, options.livedWellMs);
    slot.backOff = next.state;
    slot.restarts++;
    options.onEvent({ is: "ended", role, how, restartInMs: next.delayMs });
    await Promise.race([new Promise((resolve) => setTimeout(resolve, next.delayMs).unref()), stopAsked.promise]);
    if (stopping) return;
    try {
      await start(slot);
    } catch (error) {
      const failure = asChildFailed(role, error);
      options.onEvent({ is: "failed", role, ...failure.failure });
      if (failure.failure.retry === "never") options.onHopeless(failure);
      else await restart(slot, "did not start");
    }
  }

  async function stop(): Promise<void> {
    stopping = true;
    stopAsked.resolve();
    for (const { role } of [...processes].reverse()) await slotOf(role).child?.stop(stopGraceMs);
  }

  // All load their code at once; they are booted in order.
  const spawned = processes.map(({ role }) => spawnFor(role));
  try {
    for (const child of spawned) await start(slotOf(child.role), child);
  } catch (error) {
    await stop();
    await Promise.all(spawned.map((child) => child.stop(0)));
    throw error;
  }
  return { running, stop };
}

function giveVaultPipe(vault: Child | undefined, joinServer: Child | undefined) {
  if (vault?.pipe && !vault.pipe.destroyed && joinServer) joinServer.giveVaultPipe(vault.pipe);
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
