/**
 * How a server's Node is started: the permission model as a fence (separate users are the wall), and memory of freed
 * objects cleared so that residue of key material does not linger.
 */
import { fileURLToPath } from "node:url";
import type { Role } from "@trefoil/wire";

/** The folder that holds the whole project. */
export const projectDir = fileURLToPath(new URL("../../../../", import.meta.url));

export const mainOf = (role: Role) => `${projectDir}servers/${role}/src/main.ts`;
/** The vault's trial of a PKCS #11 module. */
export const checkProgram = `${projectDir}servers/vault/src/pkcs11/check.ts`;
export const initOf = (role: Role) => `${projectDir}servers/${role}/src/init.ts`;

/** Where code is. `apps` for the programs of the initialisation, which run under the same flags. */
const codeFolders = ["packages", "platform", "servers", "apps", "node_modules", "package.json"];

/** Node's arguments for a process that may read the code and use `dataDir`, and nothing else of the file system. */
export function nodeFlags(dataDir: string): string[] {
  return [
    "--permission",
    // Not the project as a whole: the data folder of all servers usually lies in it.
    ...codeFolders.map((name) => `--allow-fs-read=${projectDir}${name}`),
    `--allow-fs-read=${dataDir}`,
    `--allow-fs-write=${dataDir}`,
    // What the process metrics read about the process itself.
    ...["status", "stat", "limits", "fd"].map((name) => `--allow-fs-read=/proc/self/${name}`),
    "--allow-worker",
    "--disable-warning=PERM0006",
    "--disable-warning=ExperimentalWarning",
    "--clear-free-memory",
  ];
}
