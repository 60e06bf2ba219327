/**
 * Runs dependency-cruiser with scripts/architecture.cjs over a tree of workspaces and compares what it saw with what is there:
 * with a wrong TypeScript version it sees nothing, finds nothing wrong, and exits with 0.
 */
import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { home, run, tool } from "./run.ts";

export type Violation = { readonly rule: string; readonly from: string; readonly to: string };
export type Cruise = {
  readonly violations: readonly Violation[];
  /** Source files that lie in the tree and were not looked at. */
  readonly unseen: readonly string[];
  /** Workspaces (`servers/vault`) without a single source file: their rules guard nothing. */
  readonly empty: readonly string[];
  readonly modules: number;
};
type Report = {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: {
    readonly violations: readonly {
      readonly from: string;
      readonly to: string;
      readonly rule: { readonly name: string };
    }[];
  };
};

const roots = ["packages", "platform", "servers", "apps", "bench"];

/** `tree` holds the workspaces and a tsconfig.json; the rules come from this project. */
export async function cruise(tree: string, config = join(home, "scripts", "architecture.cjs")): Promise<Cruise> {
  const { output } = await run(
    [
      ...tool("depcruise"),
      ...["--config", config, "--output-type", "json"],
      ...roots.filter((root) => existsSync(join(tree, root))),
    ],
    { cwd: tree },
  );
  if (!output.startsWith("{")) throw new Error(`dependency-cruiser failed: ${output.trim()}`);
  const { modules, summary } = JSON.parse(output) as Report;
  const seen = new Set(modules.map(({ source }) => source));
  const sources = globSync(["{packages,platform,servers,apps}/*/src/**/*.ts", "bench/**/*.ts"], { cwd: tree });
  const packages = globSync("{packages,platform,servers,apps}/*/package.json", { cwd: tree });
  return {
    violations: summary.violations.map(({ from, to, rule }) => ({ rule: rule.name, from, to })),
    unseen: sources.filter((file) => !seen.has(file)),
    empty: packages
      .map((file) => file.replace("/package.json", ""))
      .filter((folder) => !sources.some((file) => file.startsWith(`${folder}/`))),
    modules: sources.length,
  };
}

/** One line per thing that is wrong. */
export function complaints({ violations, unseen, empty }: Cruise): string[] {
  return [
    ...violations.map(({ rule, from, to }) => `${rule}: ${from} → ${to}`),
    ...unseen.map((file) => `unseen: ${file} was not looked at, so no rule guards it`),
    ...empty.map((folder) => `empty: ${folder} has no modules, so its rules guard nothing`),
  ];
}
