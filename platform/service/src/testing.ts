/** For tests: throw-away data folders with real certificates, servers in this process or as children. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Address, Boot, FromChild, Role } from "@trefoil/wire";
import { pino } from "pino";
import { Registry } from "prom-client";
import { type Ca, issueCertificate, makeCa, makeSelfSigned, makeServerKeyAndCsr } from "./certificates.ts";
import { defaultConfig } from "./config/load.ts";
import { configFor, type ProcessConfig } from "./config/sections.ts";
import type { Definition, UseVaultPipe } from "./life/definition.ts";
import type { Failed } from "./life/failures.ts";
import { openLog } from "./life/log.ts";
import { prepareService, type Running } from "./life/service.ts";
import { loadTls, type Station, type TlsMaterial } from "./link/tls.ts";

export type TestNetwork = {
  readonly dir: string;
  readonly ca: Ca;
  /** SHA-256 of each server's SubjectPublicKeyInfo, hex. */
  readonly pins: { readonly [role: string]: string };
  /** The server's own folder. */
  dataDir(role: Role): string;
  /** Default configuration with every port 0 and host 127.0.0.1, and `change` over it. */
  boot<R extends Role>(
    role: R,
    change?: Partial<ProcessConfig<R>>,
    peers?: Boot["boot"]["peers"],
  ): Boot<ProcessConfig<R>>["boot"];
  /** What links need, without a server around it. */
  station(role: Role): Station;
  remove(): void;
};

/** A folder as `trefoil init` makes it: one folder per role with tls.key, tls.crt, ca.crt and a peers.json that names all others. */
export async function makeTestNetwork(...roles: Role[]): Promise<TestNetwork> {
  const dir = mkdtempSync(join(tmpdir(), "trefoil-"));
  const ca = await makeCa("Trefoil test CA");
  const pins: { [role: string]: string } = {};
  const dataDir = (role: Role) => join(dir, role);
  for (const role of roles) {
    const { keyPem, csrPem } = await makeServerKeyAndCsr(role);
    const { certificatePem, spki } = await issueCertificate(ca, role, csrPem);
    pins[role] = spki;
    mkdirSync(dataDir(role), { mode: 0o700 });
    write(dataDir(role), { "tls.key": keyPem, "tls.crt": certificatePem, "ca.crt": ca.certificatePem });
  }
  for (const role of roles) {
    const { [role]: _self, ...others } = pins;
    write(dataDir(role), { "peers.json": JSON.stringify(others) });
  }
  return {
    dir,
    ca,
    pins,
    dataDir,
    boot: (role, change = {}, peers = {}) => ({
      role,
      dataDir: dataDir(role),
      config: { ...onFreePorts(configFor(defaultConfig(), role)), ...change },
      peers,
      logLevel: "info",
    }),
    station: (role) => ({ role, tls: loadTls(dataDir(role)), log: pino({ level: "silent" }), metrics: new Registry() }),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

function write(folder: string, files: { readonly [name: string]: string }): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
}

/** The key and certificate of a server of another owner: no CA of ours issued it. `cert` may be long past, or to come. */
export async function makeStranger(years: { readonly from?: number; readonly to?: number } = {}) {
  const { keyPem, certificatePem, spki } = await makeSelfSigned("stranger", years);
  const tls: TlsMaterial = { key: keyPem, cert: certificatePem, ca: certificatePem, peers: [] };
  return { tls, spki };
}

/** Every listener on 127.0.0.1, port 0. */
function onFreePorts<C>(config: C): C {
  const isAddress = (value: unknown) => typeof value === "object" && value !== null && "port" in value;
  const entries = Object.entries(config as object).map(([name, value]) => [
    name,
    isAddress(value) ? { host: "127.0.0.1", port: 0 } : value,
  ]);
  return Object.fromEntries(entries) as C;
}

/** Gives a role's folder to a user, as the supervisor does. Needs root. */
export function giveTo(network: TestNetwork, role: Role, uid: number, gid: number): void {
  chmodSync(network.dir, 0o711);
  chownSync(network.dataDir(role), uid, gid);
  for (const name of ["tls.key", "tls.crt", "ca.crt", "peers.json"])
    chownSync(join(network.dataDir(role), name), uid, gid);
}

export type InProcess = Running & {
  /** What the server logged, parsed. */
  readonly lines: { readonly [field: string]: unknown }[];
  /** Resolves when the server calls `ctx.fail`. */
  readonly failed: Promise<unknown>;
  giveVaultPipe(pipe: Socket, instance?: number): void;
};

/** A server's definition, started in this process: no drop of rights, no IPC. */
export async function startInProcess<R extends Role, Hot extends string, Prepared>(
  definition: Definition<R, Hot, Prepared>,
  boot: Boot<ProcessConfig<R>>["boot"],
): Promise<InProcess> {
  const lines: { readonly [field: string]: unknown }[] = [];
  const toLines = { write: (line: string) => void lines.push(JSON.parse(line)) };
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<unknown>((resolve) => {
    fail = resolve;
  });
  let usePipe: UseVaultPipe = () => {};
  const prepared = await prepareService(definition);
  try {
    const running = await prepared.start(boot, {
      fail,
      onVaultPipe: (use) => {
        usePipe = use;
      },
      openLog: (role, level) => openLog(role, level, toLines),
    });
    return { ...running, lines, failed, giveVaultPipe: (pipe, instance = 0) => usePipe(pipe, instance) };
  } catch (error) {
    await prepared.discard();
    throw error;
  }
}

export type TestChild = {
  readonly process: ChildProcess;
  /** Resolves with the listeners; rejects with the `failed` message, or its exit. */
  readonly ready: Promise<{ readonly [name: string]: Address }>;
  readonly failure: Promise<Failed | undefined>;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** What it wrote on standard output and standard error. */
  readonly output: () => string;
  stop(): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  kill(signal?: NodeJS.Signals): Promise<void>;
};

/** Starts `main` (a server's main.ts) as the supervisor does, and boots it. */
export function startChild(main: string, boot: Boot["boot"], nodeFlags: readonly string[] = []): TestChild {
  const child = spawn(process.execPath, [...nodeFlags, main], {
    cwd: "/",
    env: { PATH: process.env.PATH },
    stdio: ["ignore", "pipe", "pipe", "ipc", ...(boot.role === "vault" ? (["pipe"] as const) : [])],
  });
  let output = "";
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null);
  const ended = Promise.all(streams.map((stream) => new Promise((resolve) => stream.once("close", resolve))));
  for (const stream of streams) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  // Not "close": a vault's pipe that was handed on never closes here.
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("exit", (code, signal) => void ended.then(() => resolve({ code, signal })));
  });
  let failure: Failed | undefined;
  const ready = new Promise<{ readonly [name: string]: Address }>((resolve, reject) => {
    child.on("message", (message: FromChild) => {
      if ("preloaded" in message) child.send({ boot } satisfies Boot);
      else if ("ready" in message) resolve(message.ready.listeners);
      else {
        failure = message.failed;
        reject(Object.assign(new Error(`${failure.message} (${failure.code})`), failure));
      }
    });
    void exited.then(() => reject(new Error(`the ${boot.role} ended before it was ready:\n${output}`)));
  });
  ready.catch(() => undefined);
  return {
    process: child,
    ready,
    failure: exited.then(() => failure),
    exited,
    output: () => output,
    stop: () => {
      if (child.connected) child.send({ stop: true });
      return exited;
    },
    kill: async (signal = "SIGKILL") => {
      child.kill(signal);
      await exited;
    },
  };
}
