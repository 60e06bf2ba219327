/**
 * Two projects: `unit` may use both cores; `scenario` (files *.scenario.test.ts, which start whole networks of processes)
 * runs one file at a time, after the others.
 */
import { defineConfig } from "vitest/config";

const everywhere = ["{packages,platform,servers,apps}/**/*.test.ts", "{bench,scripts,test}/**/*.test.ts"];
const scenarios = "**/*.scenario.test.ts";
const never = ["**/node_modules/**"];
const shared = { pool: "forks", testTimeout: 30_000, hookTimeout: 30_000, teardownTimeout: 10_000 } as const;

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...shared,
          name: "unit",
          include: everywhere,
          exclude: [...never, scenarios],
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          name: "scenario",
          include: [scenarios],
          exclude: never,
          testTimeout: 180_000,
          hookTimeout: 120_000,
          maxWorkers: 1,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
