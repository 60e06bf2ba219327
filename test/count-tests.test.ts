import { describe, expect, test } from "vitest";
import { countTests } from "../scripts/checks/steps.ts";

const report = (
  total: number,
  passed: number,
  failed: number,
  files: { status: string; assertionResults: unknown[] }[] = [],
) => ({
  numTotalTests: total,
  numPassedTests: passed,
  numFailedTests: failed,
  testResults: files.map((file) => ({ name: "x", ...file })),
});

describe("what npm test counts", () => {
  test.each([
    ["all passed", report(3, 3, 0), 0, { passed: 3, failed: 0, skipped: 0 }],
    ["failed and skipped ones", report(5, 2, 1), 1, { passed: 2, failed: 1, skipped: 2 }],
    ["no report", undefined, 0, { passed: 0, failed: 1, skipped: 0 }],
    ["no tests", report(0, 0, 0), 0, { passed: 0, failed: 1, skipped: 0 }],
    [
      "a file that could not be loaded",
      report(3, 3, 0, [{ status: "failed", assertionResults: [] }]),
      1,
      { passed: 3, failed: 1, skipped: 0 },
    ],
    ["an error outside of every test", report(3, 3, 0), 1, { passed: 3, failed: 1, skipped: 0 }],
  ])("%s", (_, seen, exitCode, counts) => expect(countTests(seen, exitCode)).toMatchObject(counts));
});
