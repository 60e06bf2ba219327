/**
 * `npm test`: every check of the project, each a line with its result and time; the last line counts them all.
 *
 *   npm test                        everything
 *   npm test -- servers/vault       only the tests in matching files (further arguments go to Vitest)
 *   npm test -- --only lint,types   only these steps
 */
import { architecture, lint, type Result, type Step, services, tests, types } from "./checks/steps.ts";

const stages: readonly (readonly Step[])[] = [[services], [types, lint, architecture], [tests]]; // the steps of a stage run together
const all = stages.flat();

const args = process.argv.slice(2);
const only =
  args[0] === "--only" ? (args[1] ?? "").split(",") : args.length > 0 ? [tests.name] : all.map(({ name }) => name);
const filters = args[0] === "--only" ? args.slice(2) : args;

const unknown = only.filter((name) => !all.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`Unknown step ${unknown.join(", ")}: the steps are ${all.map(({ name }) => name).join(", ")}.`);
  process.exit(2);
}

const results: Result[] = [];
for (const stage of stages) {
  const steps = stage.filter(({ name }) => only.includes(name));
  const running = steps.map(async (step) => {
    const started = performance.now();
    const result = await step
      .run(filters)
      .catch((error): Result => ({ passed: 0, failed: 1, skipped: 0, note: "", output: String(error) }));
    return { name: step.name, result, seconds: (performance.now() - started) / 1000 };
  });
  for (const ending of running) {
    const { name, result, seconds } = await ending;
    if (result.failed > 0 && result.output) console.log(result.output.trimEnd());
    console.log(
      `${name.padEnd(13)} ${result.failed === 0 ? "ok    " : "FAILED"} ${seconds.toFixed(1).padStart(6)} s  ${result.note}`.trimEnd(),
    );
    results.push(result);
  }
}

const sum = (key: "passed" | "failed" | "skipped") => results.reduce((total, result) => total + result[key], 0);
console.log(
  `${sum("passed")} passed, ${sum("failed")} failed${sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : ""}`,
);
process.exitCode = sum("failed") === 0 ? 0 : 1;
