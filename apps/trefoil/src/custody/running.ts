/** The network under proof: started in a process of its own, with taps, stopped and continued as a whole. */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "@trefoil/service";
import { type Role, roles } from "@trefoil/wire";
import { UserError } from "../commands/output.ts";
import { folderOf } from "../supervisor/data-folder.ts";
import { projectDir } from "../supervisor/node-flags.ts";
import type { Running } from "../supervisor/supervisor.ts";
import { Records } from "./records.ts";
import type { Piece, Suspect } from "./scan.ts";
import { importTap } from "./tap/flags.ts";

export type RunningNetwork = {
  readonly supervisor: number;
  readonly running: Running;
  readonly records: Records;
  readonly tapFolder: string;
  readonly dataDir: string;
  /** Everything that is written, with whom it belongs to. */
  readonly folders: readonly Suspect[];
  /** What the supervisor printed, for people to read. */
  readonly output: () => Piece;
  readonly stop: () => Promise<void>;
  /** At once, when the verifier itself is made to end. */
  readonly abandon: () => void;
};

/** `folder`: the verifier's own, where other users may pass through. `more`: folders outside the data folder. */
export function startApart(config: Config, folder: string, more: readonly Suspect[]): Promise<RunningNetwork> {
  const [configFile, dataDir, tapFolder] = ["trefoil.yaml", "data", "tap"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(configFile, JSON.stringify({ ...config, data: dataDir }), { mode: 0o600 });
  mkdirSync(tapFolder, { mode: 0o711 });
  const program = `${projectDir}apps/trefoil/src/custody/start.ts`;
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", importTap(tapFolder), program, configFile, dataDir, tapFolder],
    { stdio: ["ignore", "pipe", "pipe"], detached: true },
  );
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const printed: Buffer[] = [];
  let isUp = false;
  const records = new Records(tapFolder);
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        printed.push(chunk);
        if (isUp) return;
        const line = /^\{"running".*\}$/m.exec(Buffer.concat(printed).toString())?.[0];
        if (line === undefined) return;
        isUp = true;
        resolve({
          ...(JSON.parse(line) as { running: Running }),
          ...{ records, tapFolder, dataDir, supervisor: child.pid as number },
          folders: [...foldersOf(dataDir), ...more],
          output: () => ({
            ...{ holder: "supervisor", place: "log", where: "its output" },
            octets: Buffer.concat(printed),
          }),
          stop: async () => {
            child.kill("SIGTERM");
            await exited;
          },
          abandon: () => {
            for (const pid of childrenOf(child.pid as number)) process.kill(pid, "SIGCONT");
            child.kill("SIGCONT");
            child.kill("SIGTERM");
          },
        });
      });
    void exited.then(() => {
      const last = Buffer.concat(printed).toString().trim().split("\n").at(-1);
      reject(new UserError("custody/start", `the network did not start: ${last || "no reason given"}`));
    });
  });
}

/** The folders of all, and what lies beside them. */
const foldersOf = (dataDir: string): readonly Suspect[] => [
  { holder: "supervisor", folder: dataDir, without: roles },
  ...roles.map((role): Suspect => ({ holder: role, folder: folderOf(dataDir, role) })),
];

/** Every process of the network. The vault may be several. */
export function processesOf({ supervisor, running }: RunningNetwork): readonly (Suspect & { readonly pid: number })[] {
  const found = roles.flatMap((role) => pidsOf(role, running, supervisor).map((pid) => ({ holder: role, pid })));
  return [{ holder: "supervisor", pid: supervisor }, ...found];
}

/** The one that the supervisor tells of, and its brothers: children of the supervisor that run the same program. */
function pidsOf(role: Role, running: Running, supervisor: number): readonly number[] {
  const told = running[role]?.pid;
  if (told === undefined) return [];
  const children = childrenOf(supervisor);
  const isOne = (pid: number) => commandOf(pid).includes(`servers/${role}/src/main.ts`);
  return [...new Set([told, ...children.filter(isOne)])];
}
function childrenOf(pid: number): readonly number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
  } catch {
    return []; // it has ended
  }
}
const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
};

/** Stops processes, waits until each stands, runs `look`, lets them go on. */
export async function whileStopped<T>(pids: readonly number[], look: () => T): Promise<T> {
  const stopped: number[] = [];
  try {
    for (const pid of pids) {
      process.kill(pid, "SIGSTOP");
      stopped.push(pid);
    }
    while (pids.some((pid) => !stands(pid))) await new Promise((resolve) => setTimeout(resolve, 1));
    return look();
  } finally {
    for (const pid of stopped) process.kill(pid, "SIGCONT");
  }
}

/** State T of /proc/PID/stat, after the name in brackets; of every thread. */
function stands(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).startsWith("T");
}
