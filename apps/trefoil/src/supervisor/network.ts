/** A whole network: data folder, users, first-time initialisation, supervised processes, and what they must be told once. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "@trefoil/service";
import { configFor } from "@trefoil/service/config";
import type { Boot, Role } from "@trefoil/wire";
import { initialise } from "../init/init.ts";
import { checkRealm, isInitialised } from "../init/record.ts";
import { handInRegistrations } from "../init/registrations.ts";
import type { ChildFailed } from "./child.ts";
import { folderOf, lockDataFolder, prepareDataFolder, writePrivate } from "./data-folder.ts";
import { isLogged, type Level, type LogSink, ownLine } from "./log.ts";
import { waitForOrphans } from "./orphans.ts";
import { type Running, type SupervisorEvent, supervise } from "./supervisor.ts";
import { decideUsers, type Users } from "./users.ts";

export type NetworkOptions = {
  readonly config: Config;
  readonly dataDir: string;
  readonly log: LogSink;
  readonly onHopeless: (failure: ChildFailed) => void;
  /** See SupervisorOptions. */
  readonly livedWellMs?: number;
  readonly nodeFlags?: readonly string[];
};
export type Network = { readonly users: Users; readonly running: () => Running; readonly stop: () => Promise<void> };

/** Starts the network on `dataDir`, initialising it first where that has not been done. */
export async function startNetwork({
  config,
  dataDir,
  log,
  onHopeless,
  livedWellMs,
  nodeFlags,
}: NetworkOptions): Promise<Network> {
  const users = decideUsers(dataDir, config.users);
  prepareDataFolder(dataDir, users);
  const lock = await lockDataFolder(dataDir);
  try {
    if (!isInitialised(dataDir)) await initialise({ config, dataDir, users });
    checkRealm(dataDir, config.network);
    const runtimeFile = join(dataDir, "runtime.json");
    await waitForOrphans(runtimeFile);
    const supervisor = await supervise({
      bootOf: (role) => bootOf(role, config, dataDir, users),
      onLine: log,
      onEvent: (event) => {
        const level = levelOf[event.is];
        if (isLogged(level, config.log.level)) log("trefoil", lineOf(event, level), level !== "info");
      },
      onChange: (running) => writePrivate(runtimeFile, `${JSON.stringify({ pid: process.pid, running })}\n`),
      onHopeless,
      ...(livedWellMs === undefined ? {} : { livedWellMs }),
      ...(nodeFlags === undefined ? {} : { nodeFlags }),
    });
    try {
      await handInRegistrations(dataDir);
    } catch (error) {
      await supervisor.stop();
      throw error;
    }
    return {
      users,
      running: supervisor.running,
      stop: async () => {
        await supervisor.stop();
        rmSync(runtimeFile, { force: true });
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function bootOf(role: Role, config: Config, dataDir: string, users: Users): Omit<Boot["boot"], "peers" | "role"> {
  return {
    dataDir: folderOf(dataDir, role),
    ...(users.are === "separate" ? { identity: users.of[role] } : {}),
    config: configFor(config, role),
    logLevel: config.log.level,
  };
}

const levelOf = { started: "info", ended: "warn", failed: "error" } as const satisfies {
  [is in SupervisorEvent["is"]]: Level;
};

function lineOf(event: SupervisorEvent, level: Level): string {
  const server = event.role;
  switch (event.is) {
    case "started":
      return ownLine(level, `${server} ${event.restarts === 0 ? "started" : "started again"}`, {
        server,
        serverPid: event.pid,
      });
    case "ended":
      return ownLine(level, `${server} ended (${event.how}); next start in ${event.restartInMs} ms`, { server });
    case "failed":
      return ownLine(level, `${server}: ${event.message} (${event.code})`, { server });
  }
}
