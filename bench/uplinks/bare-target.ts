/** The bare pipeline as a target. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BareCounts, BareStart } from "./bare.ts";
import { Helper } from "./child.ts";
import type { Target } from "./trial.ts";

/** DevAddr of the load's first device (apps/simulator/src/load/devices.ts). */
const firstDevAddr = 0x0100_0000;

export async function startBare(devices: number): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), "trefoil-bare-"));
  const helper = new Helper("./bare.ts");
  const start: BareStart = { folder, devices, firstDevAddr };
  const { port } = await helper.ask<{ port: number }>({ start }, "ready");
  return {
    port,
    pids: { bare: helper.pid },
    arrived: async () => (await helper.ask<BareCounts>({ report: true }, "counts")).committed,
    stop: async () => {
      helper.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
