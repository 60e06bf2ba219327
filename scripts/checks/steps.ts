/** The steps of `npm test`, in their order. Each answers how many checks passed, failed and were skipped, and what to show when it failed. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { complaints, cruise } from "./architecture.ts";
import { home, run, tool } from "./run.ts";

export type Result = {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What was looked at, in a few words. */
  readonly note: string;
  /** To be shown when something failed. */
  readonly output: string;
};
export type Step = { readonly name: string; readonly run: (filters: readonly string[]) => Promise<Result> };

const single = (ok: boolean, note: string, output: string): Result => ({
  passed: ok ? 1 : 0,
  failed: ok ? 0 : 1,
  skipped: 0,
  note,
  output,
});

/** Programs beside npm packages that tests need (scripts/test-services). It prints what it installs or misses. */
export const services: Step = {
  name: "services",
  run: async () => single((await run([join(home, "scripts", "test-services")], { show: true })).code === 0, "", ""),
};

export const types: Step = {
  name: "types",
  run: async () => {
    const { code, output } = await run([...tool("tsc"), "-p", "tsconfig.json", "--pretty", "false"]);
    return single(code === 0, "strict", output);
  },
};

export const lint: Step = {
  name: "lint",
  run: async () => {
    const { code, output } = await run([
      ...tool("biome"),
      "ci",
      "--colors=off",
      "--error-on-warnings",
      "--max-diagnostics=200",
      ".",
    ]);
    const files = /Checked (\d+) files/.exec(output)?.[1] ?? "0";
    return single(code === 0 && files !== "0", `${files} files`, output);
  },
};

export const architecture: Step = {
  name: "architecture",
  run: async () => {
    const seen = await cruise(home);
    const wrong = complaints(seen);
    return single(wrong.length === 0, `${seen.modules} modules`, wrong.join("\n"));
  },
};

/** What Vitest's JSON reporter writes, as far as it is used here. */
type Report = {
  readonly numTotalTests: number;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly unknown[];
  }[];
};

export const tests: Step = {
  name: "tests",
  run: async (filters) => {
    const folder = mkdtempSync(join(tmpdir(), "trefoil-vitest-"));
    const file = join(folder, "report.json");
    try {
      const args = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${file}`, ...filters];
      const { code } = await run([...tool("vitest"), ...args], { show: true });
      return countTests(readReport(file), code);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined; // it ended before it could write one
  }
}

/** A run without tests has failed, and so has one that ended badly though every test passed (an error outside of a test). */
export function countTests(report: Report | undefined, exitCode: number): Result {
  if (!report || report.numTotalTests === 0) return single(false, "", "No test was run.");
  const { numPassedTests: passed, numFailedTests, numTotalTests } = report;
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
  );
  const failed = Math.max(numFailedTests + broken.length, exitCode === 0 ? 0 : 1);
  return {
    passed,
    failed,
    skipped: numTotalTests - passed - numFailedTests,
    note: `${report.testResults.length} files`,
    output: "",
  };
}
