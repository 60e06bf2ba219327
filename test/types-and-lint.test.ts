import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { home, run, tool } from "../scripts/checks/run.ts";
import { planted as lintPlanted } from "./planted/lint.ts";
import { planted as typesPlanted } from "./planted/types.ts";
import { makeToyTree } from "./toy-tree.ts";

describe("the type checker refuses what tsconfig.json forbids", () => {
  const tree = makeToyTree();
  let output: string;
  beforeAll(async () => {
    symlinkSync(join(home, "node_modules"), join(tree.path, "node_modules"));
    tree.write("package.json", '{ "type": "module" }');
    tree.write("tsconfig.json", JSON.stringify({ extends: join(home, "tsconfig.json"), include: ["*.ts"] }));
    for (const { flag, source } of typesPlanted) tree.write(`${flag}.ts`, source);
    tree.write("clean.ts", "export const a: number = 1;");
    const result = await run([...tool("tsc"), "-p", ".", "--pretty", "false"], { cwd: tree.path });
    expect(result.code).not.toBe(0);
    output = result.output;
  });
  afterAll(tree.remove);

  test.each(typesPlanted)("$flag gives $code", ({ flag, code }) => {
    expect(output.match(new RegExp(`^${flag}\\.ts\\(.*error TS\\d+`, "gm"))?.map((line) => line.slice(-6))).toEqual([
      code,
    ]);
  });
  test("clean files pass", () => expect(output).not.toContain("clean.ts"));
});

describe("Biome refuses what biome.json forbids", () => {
  const tree = makeToyTree();
  let diagnostics: readonly { readonly category: string; readonly location: { readonly path: string } }[];
  beforeAll(async () => {
    cpSync(join(home, "biome.json"), join(tree.path, "biome.json"));
    mkdirSync(join(tree.path, "scripts"));
    cpSync(join(home, "scripts", "lint"), join(tree.path, "scripts", "lint"), { recursive: true });
    for (const { file, source } of lintPlanted) tree.write(file, source);
    const { code, output } = await run([...tool("biome"), "ci", "--vcs-enabled=false", "--reporter=json", "."], {
      cwd: tree.path,
    });
    expect(code).not.toBe(0);
    diagnostics = JSON.parse(output.slice(output.indexOf('{"summary"'), output.lastIndexOf("}") + 1)).diagnostics;
  });
  afterAll(tree.remove);

  test.each(lintPlanted)("$file: $rule", ({ file, rule }) => {
    const fired = new Set(diagnostics.filter(({ location }) => location.path === file).map(({ category }) => category));
    expect([...fired]).toEqual(rule === "none" ? [] : [rule]);
  });
});
