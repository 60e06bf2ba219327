import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cruise, complaints, cruise } from "../scripts/checks/architecture.ts";
import { npmPackages, planted, workspaces } from "./planted/architecture.ts";

const rules: string[] = createRequire(import.meta.url)("../scripts/architecture.cjs").forbidden.map(
  (rule: { name: string }) => rule.name,
);

let tree: string;
let seen: Cruise;

function write(file: string, text: string): void {
  mkdirSync(dirname(join(tree, file)), { recursive: true });
  writeFileSync(join(tree, file), text);
}

beforeAll(async () => {
  tree = mkdtempSync(join(tmpdir(), "trefoil-toy-"));
  write("package.json", '{ "name": "toy", "type": "module" }');
  write(
    "tsconfig.json",
    '{ "compilerOptions": { "module": "NodeNext", "moduleResolution": "NodeNext", "allowImportingTsExtensions": true, "noEmit": true } }',
  );
  for (const folder of workspaces) {
    const name = basename(folder);
    write(
      join(folder, "package.json"),
      JSON.stringify({ name: `@trefoil/${name}`, type: "module", exports: { ".": "./src/index.ts" } }),
    );
    write(join(folder, "src", "index.ts"), "export const index = 1;\n");
    mkdirSync(join(tree, "node_modules", "@trefoil"), { recursive: true });
    symlinkSync(join("..", "..", folder), join(tree, "node_modules", "@trefoil", name));
  }
  for (const name of npmPackages) {
    write(join("node_modules", name, "package.json"), JSON.stringify({ name, main: "index.js" }));
    write(join("node_modules", name, "index.js"), "");
  }
  for (const { file, source } of planted) write(file, `${source}\n`);
  write("apps/hollow/package.json", '{ "name": "@trefoil/hollow" }');
  seen = await cruise(tree);
});
afterAll(() => rmSync(tree, { recursive: true, force: true }));

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
    const blind = join(tree, "blind.cjs");
    writeFileSync(blind, 'module.exports = { forbidden: [], options: { exclude: { path: "\\\\.ts$" } } };');
    const result = await cruise(tree, blind);
    expect(result.violations).toEqual([]);
    expect(complaints(result).filter((line) => line.startsWith("unseen: servers/vault/src/index.ts"))).toHaveLength(1);
  });
});
