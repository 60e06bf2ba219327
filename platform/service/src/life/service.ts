/** A server's life without the process around it: prepared with all rights, started with its own, stopped in reverse order. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Fault, type PreparedStore, prepareStore } from "@trefoil/store";
import type { Address, Boot, Role } from "@trefoil/wire";
import { type Node, problemsOf } from "../config/check.ts";
import { type ProcessConfig, processSchemas } from "../config/sections.ts";
import { loadTls, type TlsMaterial } from "../link/tls.ts";
import { createAdmin, listenAdmin, warmUpAdmin } from "./admin.ts";
import type { Definition, UseVaultPipe } from "./definition.ts";
import { type Health, listenHttp, openRegistry } from "./http.ts";
import { type Log, openLog } from "./log.ts";

/** What the surroundings give: a real process, or a test. */
export type Surroundings = {
  readonly fail: (error: unknown) => void;
  readonly onVaultPipe: (use: UseVaultPipe) => void;
  readonly openLog?: (role: Role, level: Boot["boot"]["logLevel"]) => Log;
};
export type Running = {
  readonly listeners: { readonly [name: string]: Address };
  readonly log: Log;
  stop(): Promise<void>;
};
export type PreparedService = {
  start(boot: Boot["boot"], surroundings: Surroundings): Promise<Running>;
  discard(): Promise<void>;
};

/** Loads all code and starts all threads. After this nothing is imported. */
export async function prepareService<R extends Role, Hot extends string, Prepared>(
  definition: Definition<R, Hot, Prepared>,
): Promise<PreparedService> {
  const [store, prepared] = await Promise.all([
    definition.store ? prepareStore() : undefined,
    definition.prepare?.(),
    definition.http === false ? undefined : warmUpAdmin(openLog(definition.role, "error")),
  ]);
  return {
    start: (boot, surroundings) =>
      start(definition, store, prepared as Prepared, boot as Boot<ProcessConfig<R>>["boot"], surroundings),
    discard: async () => store?.discard(),
  };
}

async function start<R extends Role, Hot extends string, Prepared>(
  definition: Definition<R, Hot, Prepared>,
  preparedStore: PreparedStore | undefined,
  prepared: Prepared,
  boot: Boot<ProcessConfig<R>>["boot"],
  surroundings: Surroundings,
): Promise<Running> {
  const { role } = definition;
  const { config, dataDir } = boot;
  const stops: (() => Promise<void> | void)[] = [];
  const listeners: { [name: string]: Address } = {};
  const facts = new Map<string, () => string | number | boolean>();
  const health: Health = { started: false, checks: new Map(), notes: new Map() };
  const log = (surroundings.openLog ?? openLog)(role, boot.logLevel);
  const stop = () => stopAll(stops, log);
  try {
    checkBoot(role, boot);
    const store =
      preparedStore && definition.store
        ? await preparedStore.open({ ...definition.store, role, file: join(dataDir, "store.sqlite") })
        : undefined;
    if (store) {
      stops.push(() => store.close());
      void store.lost.then(surroundings.fail);
    }
    const metrics = openRegistry();
    stops.push(() => metrics.clear());
    const admin = definition.http === false ? undefined : createAdmin(log, definition.adminBodyLimit);
    if (admin) {
      const { host, port } = (config as { http: Address }).http;
      const http = await listenHttp({ host, port }, metrics, health);
      listeners.http = http.address;
      stops.push(() => {
        http.server.close();
        http.server.closeAllConnections();
      });
      const startedAt = Date.now();
      admin.get("/status", async () => ({
        role,
        version,
        startedAt,
        facts: Object.fromEntries([...facts].map(([name, value]) => [name, value()])),
      }));
    }
    let tls: TlsMaterial | undefined;
    await definition.start({
      role,
      boot,
      config,
      dataDir,
      log,
      metrics,
      prepared,
      peers: boot.peers,
      get admin() {
        return required(admin, "admin");
      },
      get store() {
        return required(store, "store");
      },
      get tls() {
        tls ??= loadTls(dataDir);
        return tls;
      },
      listening: (name, address) => {
        listeners[name] = address;
      },
      readiness: (name, check) => void health.checks.set(name, check),
      healthNote: (name, note) => void health.notes.set(name, note),
      fact: (name, value) => void facts.set(name, value),
      onStop: (more) => void stops.push(more),
      fail: surroundings.fail,
      onVaultPipe: surroundings.onVaultPipe,
    });
    if (admin) {
      const path = join(dataDir, "admin.sock");
      await listenAdmin(admin, path);
      stops.push(async () => {
        await admin.close();
        rmSync(path, { force: true });
      });
    }
    health.started = true;
    return { listeners, log, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Of Trefoil as a whole; package.json has the same. */
export const version = "0.1.0";

function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new TypeError(`this server's definition has no ${name}`);
  return value;
}

function checkBoot(role: Role, boot: Boot["boot"]): void {
  if (boot.role !== role) throw new Fault("start/role", `the ${role} was booted as ${boot.role}`, { retry: "never" });
  const [problem] = problemsOf(processSchemas[role] as Node, boot.config ?? {});
  if (problem) throw new Fault("config/invalid", `${problem.key}: ${problem.message}`, { retry: "never" });
}

async function stopAll(stops: (() => Promise<void> | void)[], log: Log): Promise<void> {
  for (const stop of stops.splice(0).reverse()) {
    try {
      await stop();
    } catch (error) {
      log.error({ err: error }, "something could not be closed");
    }
  }
}
