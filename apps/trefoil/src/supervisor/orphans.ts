/** Servers of a supervisor that was killed: they notice and end by themselves; the next network waits for that. */
import { existsSync, readFileSync } from "node:fs";
import { UserError } from "../commands/output.ts";

const patienceMs = 15_000;

/** Waits until none of the processes that `runtimeFile` names is one of ours any more. */
export async function waitForOrphans(runtimeFile: string): Promise<void> {
  const pids = pidsOf(runtimeFile).filter(isOurs);
  for (const end = Date.now() + patienceMs; pids.some(isOurs); ) {
    if (Date.now() > end)
      throw new UserError(
        "data/in-use",
        `processes of an earlier network still run: ${pids.filter(isOurs).join(", ")}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function pidsOf(runtimeFile: string): number[] {
  if (!existsSync(runtimeFile)) return [];
  try {
    const { running } = JSON.parse(readFileSync(runtimeFile, "utf8")) as { running: Record<string, { pid: number }> };
    return Object.values(running).map(({ pid }) => pid);
  } catch {
    return [];
  }
}

/** A process id may have gone to somebody else since. */
function isOurs(pid: number): boolean {
  try {
    return /servers\/[a-z-]+\/src\/main\.ts/.test(readFileSync(`/proc/${pid}/cmdline`, "latin1"));
  } catch {
    return false;
  }
}
