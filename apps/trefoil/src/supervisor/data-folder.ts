/** The data folder: its version, its lock, and the folders of the servers with their owners and modes (docs/architecture.md). */
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fchownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import type { Role } from "@trefoil/wire";
import { UserError } from "../commands/output.ts";
import { type Deployment, rolesOf } from "./processes.ts";
import type { Users } from "./users.ts";

/** Raised when something in the folder changes that an older Trefoil would not understand. */
export const dataFormat = 2;

/** Makes the folder and the servers' folders, or checks that they are of this version and not somebody else's. */
export function prepareDataFolder(dataDir: string, users: Users, deployment: Deployment = "network"): void {
  const versionFile = join(dataDir, "VERSION");
  if (!existsSync(versionFile)) {
    if (existsSync(dataDir) && readdirSync(dataDir).length > 0) {
      throw new UserError(
        "data/foreign",
        `${dataDir} has files in it but is not a Trefoil data folder: choose another with --data`,
      );
    }
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    writeFileSync(versionFile, `${JSON.stringify({ format: dataFormat, deployment })}\n`, { mode: 0o600 });
  }
  checkVersion(versionFile, deployment);
  chmodSync(dataDir, users.are === "separate" ? 0o711 : 0o700);
  mkdirSync(join(dataDir, "owner"), { recursive: true, mode: 0o700 });
  for (const role of rolesOf[deployment])
    ownFolder(join(dataDir, role), users.are === "separate" ? users.of[role] : undefined);
}

function checkVersion(versionFile: string, deployment: Deployment): void {
  const found = readVersion(versionFile);
  if (found === undefined)
    throw new UserError("data/other-version", `${versionFile} cannot be read as a version: nothing was changed`);
  if (found.format !== dataFormat) {
    throw new UserError(
      "data/other-version",
      found.format < dataFormat
        ? `the data folder was made by an earlier development version of Trefoil (format ${found.format}), which cannot be carried over: begin a new one with --data; nothing was changed`
        : `the data folder has format ${found.format}, this Trefoil knows format ${dataFormat}: nothing was changed; use the Trefoil that made it`,
    );
  }
  if (found.deployment !== deployment) {
    throw new UserError(
      "data/other-deployment",
      found.deployment === "join-server"
        ? "this data folder is of a Join Server alone: start it with trefoil join-server"
        : "this data folder is of a whole network, which has its own Join Server: start it with npm start, or choose another folder with --data",
    );
  }
}

function readVersion(versionFile: string): { readonly format: number; readonly deployment?: string } | undefined {
  try {
    const version = JSON.parse(readFileSync(versionFile, "utf8")) as { format: number; deployment?: string };
    return typeof version.format === "number" ? version : undefined;
  } catch {
    return undefined;
  }
}

/** A server's folder belongs to its user, and so does what is in it: also when the network ran as one user before. */
function ownFolder(path: string, identity: { uid: number; gid: number } | undefined): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(path, 0o700);
  const { uid, gid } = identity ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  if (process.getuid?.() !== 0 || statSync(path).uid === uid) return;
  for (const name of readdirSync(path)) {
    // Its former owner may have planted links to files of others.
    const { nlink } = lstatSync(join(path, name));
    if (nlink === 1) lchownSync(join(path, name), uid, gid);
  }
  lchownSync(path, uid, gid);
}

/** Writes a file that only its owner may read, whole or not at all. */
export function writePrivate(path: string, text: string, owner?: { readonly uid: number; readonly gid: number }): void {
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  // O_EXCL and O_NOFOLLOW: the folder may belong to a server's user, who could have planted a link there.
  const file = openSync(
    temporary,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  writeFileSync(file, text, { flush: true });
  if (owner) fchownSync(file, owner.uid, owner.gid);
  closeSync(file);
  renameSync(temporary, path);
}

/** What `sockaddr_un` holds on Linux. */
const longestSocketPath = 107;

/** Which folder belongs to which role. */
export const folderOf = (dataDir: string, role: Role) => join(dataDir, role);

/**
 * Takes the folder for this process until it ends: two networks on one data folder would each hand out the same counters.
 * The lock is a listening socket, so it goes with the process, however that ends.
 */
export async function lockDataFolder(dataDir: string): Promise<{ release(): void }> {
  const path = join(dataDir, "supervisor.sock");
  if (Buffer.byteLength(join(dataDir, "application-server", "admin.sock")) > longestSocketPath) {
    throw new UserError(
      "data/path-too-long",
      `${dataDir} is too long a path for the sockets in it: choose a shorter one with --data`,
    );
  }
  if (existsSync(path)) {
    if (await answers(path)) throw new UserError("data/in-use", `a network is already running on ${dataDir}`);
    unlinkSync(path);
  }
  const server = await listen(path);
  server.unref();
  return { release: () => server.close() };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
    socket.once("connect", () => socket.destroy());
  });
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve(server);
    });
  });
}
