/** A whole network, or a Join Server alone: data folder, users, first-time initialisation, supervised processes, and what they must be told. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "@trefoil/service";
import { configFor } from "@trefoil/service/config";
import type { Boot, Role } from "@trefoil/wire";
import { initialise } from "../init/init.ts";
import { checkRealm, isInitialised } from "../owner/record.ts";
import { handInStatements } from "../owner/statements.ts";
import { folderOf, lockDataFolder, prepareDataFolder, writePrivate } from "./data-folder.ts";
import { isLogged, type Level, type LogSink, ownLine } from "./log.ts";
import { waitForOrphans } from "./orphans.ts";
import { type Deployment, processesOf } from "./processes.ts";
import { type Running, type SupervisorEvent, type SupervisorOptions, supervise } from "./supervisor.ts";
import { decideUsers, type Users } from "./users.ts";
import { vaultFlags, vaultSettings } from "./vault-flags.ts";

export type NetworkOptions = Pick<SupervisorOptions, "onHopeless" | "livedWellMs" | "nodeFlags"> & {
  readonly config: Config;
  readonly dataDir: string;
  /** Absent: a whole network. */
  readonly deployment?: Deployment;
  readonly log: LogSink;
};
export type Network = { readonly users: Users; readonly running: () => Running; readonly stop: () => Promise<void> };

const handInAgainMs = 5_000;

/** Starts the network on `dataDir`, initialising it first where that has not been done. */
export async function startNetwork(options: NetworkOptions): Promise<Network> {
  const { dataDir, log, onHopeless, livedWellMs, nodeFlags, deployment = "network" } = options;
  const users = decideUsers(dataDir, options.config.users);
  const config = { ...options.config, vault: vaultSettings(options.config.vault, users) };
  prepareDataFolder(dataDir, users, deployment);
  const lock = await lockDataFolder(dataDir);
  const say = (level: Level, text: string, fields: object = {}) => {
    if (isLogged(level, config.log.level)) log("trefoil", ownLine(level, text, fields), level !== "info");
  };
  try {
    if (!isInitialised(dataDir)) await initialise({ config, dataDir, users, deployment });
    checkRealm(dataDir, config.network);
    const runtimeFile = join(dataDir, "runtime.json");
    await waitForOrphans(runtimeFile);
    const supervisor = await supervise({
      processes: processesOf(deployment, config.vault.processes),
      bootOf: (role) => bootOf(role, config, dataDir, users),
      flagsOf: (role) => flagsOf(role, config),
      onLine: log,
      onEvent: (event) => tell(event, say),
      onChange: (running) =>
        writePrivate(runtimeFile, `${JSON.stringify({ pid: process.pid, deployment, running })}\n`),
      onHopeless,
      ...(livedWellMs === undefined ? {} : { livedWellMs }),
      ...(nodeFlags === undefined ? {} : { nodeFlags }),
    });
    const handingIn = await keepHandingIn(dataDir, say);
    return {
      users,
      running: supervisor.running,
      stop: async () => {
        handingIn.stop();
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

/** Statements that wait are handed in once everything runs. A vault whose token is away gets them when it is back: nothing else waits for that. */
async function keepHandingIn(dataDir: string, say: (level: Level, text: string, fields?: object) => void) {
  let timer: NodeJS.Timeout | undefined;
  const once = async () => {
    try {
      for (const { statement, refusal } of await handInStatements(dataDir)) {
        const { kind } = statement;
        if (refusal)
          say("error", `the vault refused a statement of the owner: ${refusal.message}`, { kind, ...refusal });
        else say("info", "a statement of the owner is in force", { kind });
      }
    } catch (error) {
      say("warn", `statements of the owner wait: ${(error as Error).message}`);
      timer = setTimeout(once, handInAgainMs).unref();
    }
  };
  await once();
  return { stop: () => clearTimeout(timer) };
}

function bootOf(role: Role, config: Config, dataDir: string, users: Users): ReturnType<SupervisorOptions["bootOf"]> {
  return {
    dataDir: folderOf(dataDir, role),
    ...(users.are === "separate" ? { identity: users.of[role] } : {}),
    config: configFor(config, role),
    logLevel: config.log.level,
  } satisfies Omit<Boot["boot"], "peers" | "role" | "instance">;
}

/** Only the files that a server's own settings name are added to what it may read. */
function flagsOf(role: Role, config: Config): readonly string[] {
  if (role === "vault") return vaultFlags(config.vault);
  const files = role === "network-server" ? config.networkServer.joinServers.flatMap(({ ca }) => ca ?? []) : [];
  return files.map((path) => `--allow-fs-read=${path}`);
}

const levelOf = { started: "info", ended: "warn", failed: "error" } as const satisfies {
  [is in SupervisorEvent["is"]]: Level;
};

function tell(event: SupervisorEvent, say: (level: Level, text: string, fields?: object) => void): void {
  const { process: server } = event;
  say(levelOf[event.is], textOf(event), { server, ...(event.is === "started" ? { serverPid: event.pid } : {}) });
}

function textOf(event: SupervisorEvent): string {
  switch (event.is) {
    case "started":
      return `${event.process} ${event.restarts === 0 ? "started" : "started again"}`;
    case "ended":
      return `${event.process} ended (${event.how}); next start in ${event.restartInMs} ms`;
    case "failed":
      return `${event.process}: ${event.message} (${event.code})`;
  }
}
