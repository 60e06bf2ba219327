import { mkdirSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cruise, complaints, cruise } from "../scripts/checks/architecture.ts";
import { npmPackages, planted, workspaces } from "./planted/architecture.ts";
import { makeToyTree } from "./toy-tree.ts";

const rules: string[] = createRequire(import.meta.url)("../scripts/architecture.cjs").forbidden.map(
  (rule: { name: string }) => rule.name,
);

const tree = makeToyTree();
let seen: Cruise;

beforeAll(async () => {
  tree.write("package.json", '{ "name": "toy", "type": "module" }');
  tree.write(
    "tsconfig.json",
    '{ "compilerOptions": { "module": "NodeNext", "moduleResolution": "NodeNext", "allowImportingTsExtensions": true, "noEmit": true } }',
  );
  for (const folder of workspaces) {
    const name = basename(folder);
    tree.write(
      join(folder, "package.json"),
      JSON.stringify({ name: `@trefoil/${name}`, type: "module", exports: { ".": "./src/index.ts" } }),
    );
    tree.write(join(folder, "src", "index.ts"), "export const index = 1;\n");
    mkdirSync(join(tree.path, "node_modules", "@trefoil"), { recursive: true });
    symlinkSync(join("..", "..", folder), join(tree.path, "node_modules", "@trefoil", name));
  }
  for (const name of npmPackages) {
    tree.write(join("node_modules", name, "package.json"), JSON.stringify({ name, main: "index.js" }));
    tree.write(join("node_modules", name, "index.js"), "");
  }
  for (const { file, source } of planted) tree.write(file, `${source}\n`);
  tree.write("apps/hollow/package.json", '{ "name": "@trefoil/hollow" }');
  seen = await cruise(tree.path);
});
afterAll(tree.remove);

describe("architecture rules on a toy tree (docs/architecture.md, Layers)", () => {
  test.each(planted)("$file: $rules", ({ file, rules }) => {
    const fired = new Set(seen.violations.filter(({ from }) => from === file).map(({ rule }) => rule));
    expect([...fired].sort()).toEqual([...rules].sort());
  });

  test("every rule has a planted violation", () => {
    expect(rules.filter((rule) => !planted.some((row) => row.rules.includes(rule)))).toEqual([]);
  });

  test("nothing fires outside the planted files", () => {
    const known = new Set(planted.map(({ file }) => file));
    expect(seen.violations.filter(({ from }) => !known.has(from))).toEqual([]);
  });

  test("a workspace without modules fails", () => {
    expect(complaints(seen)).toContain("empty: apps/hollow has no modules, so its rules guard nothing");
  });

  test("modules that the cruise did not see fail", async () => {
    tree.write("blind.cjs", 'module.exports = { forbidden: [], options: { exclude: { path: "\\\\.ts$" } } };');
    const result = await cruise(tree.path, join(tree.path, "blind.cjs"));
    expect(result.violations).toEqual([]);
    expect(complaints(result).filter((line) => line.startsWith("unseen: servers/vault/src/index.ts"))).toHaveLength(1);
  });
});
