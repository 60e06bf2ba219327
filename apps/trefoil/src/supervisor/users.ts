/**
 * Which operating-system user each server runs as (DESIGN §2: "Isolation is the operating system's").
 *
 * Started as root, every server gets a user id of its own; no entry in /etc/passwd is needed. That is impossible where other users
 * cannot even enter the folder that holds the data: then all run as one user, and the first screen and the audit say so.
 */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { type Role, roles } from "@trefoil/wire";

export type Identity = { readonly uid: number; readonly gid: number };
export type Users =
  | { readonly are: "separate"; readonly of: { readonly [role in Role]: Identity } }
  | { readonly are: "one"; readonly because: string };

/** Decides the users for a network whose data lies in `dataDir` (absolute). `firstId` starts a block of consecutive ids. */
export function decideUsers(
  dataDir: string,
  settings: { readonly mode: "auto" | "one"; readonly firstId: number },
): Users {
  if (settings.mode === "one") return { are: "one", because: "users.mode is set to one" };
  if (process.getuid?.() !== 0) return { are: "one", because: "Trefoil was not started as root" };
  const closed = closedParent(dataDir);
  if (closed !== undefined) {
    return {
      are: "one",
      because: `they run as root, since other users cannot enter ${closed} (run chmod o+x on it, or move the data folder)`,
    };
  }
  const of = Object.fromEntries(
    roles.map((role, i) => [role, { uid: settings.firstId + i, gid: settings.firstId + i }]),
  );
  return { are: "separate", of: of as { [role in Role]: Identity } };
}

/** The nearest folder above `path` that other users may not pass through, if there is one. */
function closedParent(path: string): string | undefined {
  for (let at = dirname(path); ; at = dirname(at)) {
    try {
      if ((statSync(at).mode & 0o001) === 0) return at;
    } catch {
      // Not made yet: `trefoil init` makes it, with the right mode.
    }
    if (at === dirname(at)) return undefined;
  }
}
