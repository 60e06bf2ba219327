/** The drop of rights: from the supervisor's user to the server's own, for good. */
import { Fault } from "@trefoil/store";

export type Identity = { readonly uid: number; readonly gid: number };

/** Becomes `identity` and proves that there is no way back. */
export function becomeUser({ uid, gid }: Identity): void {
  if (uid === 0 || gid === 0) throw new Fault("start/identity", "a server must not run as root", { retry: "never" });
  const already = process.getuid?.() === uid && process.getgid?.() === gid;
  try {
    if (!already) {
      process.setgroups?.([]);
      process.setgid?.(gid);
      process.setuid?.(uid);
    }
  } catch (cause) {
    throw new Fault("start/identity", `only root can start a server as user ${uid}`, { retry: "never", cause });
  }
  const users = [process.getuid?.(), process.geteuid?.()];
  const groups = [process.getgid?.(), process.getegid?.(), ...(already ? [] : (process.getgroups?.() ?? []))];
  if (users.some((id) => id !== uid) || groups.some((id) => id !== gid) || canRegain()) {
    throw new Fault("start/identity", "the rights of root could not be given up", { retry: "never" });
  }
}

const waysBack = [
  () => process.setuid?.(0),
  () => process.seteuid?.(0),
  () => process.setgid?.(0),
  () => process.setegid?.(0),
  () => process.setgroups?.([0]),
];

function canRegain(): boolean {
  return waysBack.some((way) => {
    try {
      way();
      return true;
    } catch {
      return false;
    }
  });
}
