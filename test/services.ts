/** Programs that scripts/test-services provides. A missing one skips its tests loudly; with CI=true it fails them. */
import { spawnSync } from "node:child_process";

export function hasService(program: string): boolean {
  if (spawnSync("which", [program]).status === 0) return true;
  if (process.env.CI === "true") throw new Error(`${program} is missing: run scripts/test-services`);
  process.stderr.write(`\nSKIPPED: ${program} is not installed (scripts/test-services installs it)\n`);
  return false;
}
