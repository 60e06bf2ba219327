import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { home } from "../scripts/checks/run.ts";
import { makeToyTree, type ToyTree } from "./toy-tree.ts";

const echo = `process.on("SIGTERM", () => process.exit(7));
console.log(JSON.stringify({ args: process.argv.slice(2), node: process.version }));
if (process.argv.includes("wait")) setInterval(() => {}, 1000);
if (process.argv.includes("fail")) process.exitCode = 3;
`;
const lock = (version: string) =>
  JSON.stringify({
    packages: { "": {}, "node_modules/a": { version }, "node_modules/b": { version: "1.0.0", optional: true } },
  });

let tree: ToyTree;
beforeEach(() => {
  tree = makeToyTree();
  for (const part of ["scripts/bootstrap.mjs", "scripts/launch", "bin", "trefoil", "test/planted/npm.mjs"]) {
    cpSync(join(home, part), join(tree.path, part), { recursive: true });
  }
  tree.write("package.json", '{ "type": "module" }');
  tree.write("package-lock.json", lock("1.0.0"));
  tree.write("apps/trefoil/src/main.ts", echo);
});
afterEach(() => tree.remove());

function start(args: readonly string[], fakeNpm = ""): ChildProcess {
  const env = {
    ...process.env,
    npm_execpath: join(tree.path, "test/planted/npm.mjs"),
    npm_node_execpath: process.execPath,
    FAKE_NPM: fakeNpm,
  };
  const [script = "", ...rest] = args;
  return spawn(process.execPath, [join(tree.path, script), ...rest], { env, stdio: ["ignore", "pipe", "pipe"] });
}
async function ended(child: ChildProcess) {
  const text = { out: "", err: "" };
  child.stdout?.setEncoding("utf8").on("data", (chunk) => {
    text.out += chunk;
  });
  child.stderr?.setEncoding("utf8").on("data", (chunk) => {
    text.err += chunk;
  });
  const [code] = await once(child, "close");
  return { code, ...text };
}
const bootstrap = (...args: string[]) => ended(start(["scripts/bootstrap.mjs", ...args]));
const installs = () =>
  existsSync(join(tree.path, "npm.log"))
    ? readFileSync(join(tree.path, "npm.log"), "utf8").trim().split("\n").length
    : 0;

describe("the first command after a clone", () => {
  test("installs, then runs the task with its arguments; standard output is the task's alone", async () => {
    const first = await bootstrap("demo", "--uplinks", "50");
    expect(JSON.parse(first.out)).toEqual({ args: ["demo", "--uplinks", "50"], node: process.version });
    expect(first.err).toMatch(/^Installing .*\nInstalled in \d+ s\.\n$/);
    expect(readFileSync(join(tree.path, "npm.log"), "utf8")).toMatch(/^ci /);
  });

  test("the second command installs nothing and says nothing", async () => {
    await bootstrap("start");
    expect(await bootstrap("start")).toMatchObject({ code: 0, err: "" });
    expect(installs()).toBe(1);
  });

  test.each([
    ["a changed package-lock.json", () => tree.write("package-lock.json", lock("1.0.1"))],
    ["an installation that was cut short", () => rmSync(join(tree.path, "node_modules/.package-lock.json"))],
    ["a missing Node", () => rmSync(join(tree.path, "node_modules/node"), { recursive: true })],
  ])("%s is installed anew", async (_, damage) => {
    await bootstrap("start");
    damage();
    expect(await bootstrap("start")).toMatchObject({ code: 0 });
    expect(installs()).toBe(2);
  });

  test("a package for another kind of machine may be missing", async () => {
    await bootstrap("start");
    tree.write("node_modules/.package-lock.json", lock("1.0.0").replace(/,"node_modules\/b".*?\}/, ""));
    await bootstrap("start");
    expect(installs()).toBe(1);
  });

  test("two at once install once, and both run", async () => {
    const both = await Promise.all([bootstrap("start"), bootstrap("demo")]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(installs()).toBe(1);
    expect(existsSync(join(tree.path, ".install.lock"))).toBe(false);
  });

  test("a lock whose holder has died holds nobody up", async () => {
    const dead = spawn(process.execPath, ["-e", ""]);
    await once(dead, "close");
    tree.write(".install.lock", String(dead.pid));
    expect(await bootstrap("start")).toMatchObject({ code: 0 });
  });

  test.each([
    ["npm error code ENOTFOUND\nnpm error network request failed", /registry cannot be reached/],
    ["npm error code EACCES\nnpm error syscall mkdir", /No permission to write/],
    ["npm error code ENOSPC\nnpm error syscall write", /disk is full/],
    ["npm error code EUSAGE\nnpm error package.json and package-lock.json are not in sync", /disagree/],
  ])("%j is told in one sentence", async (trouble, sentence) => {
    const { code, out, err } = await ended(start(["scripts/bootstrap.mjs", "start"], trouble));
    expect({ code, out, lines: err.trim().split("\n").length }).toEqual({ code: 1, out: "", lines: 2 }); // the progress line and this one
    expect(err).toMatch(sentence);
  });

  test("a trouble that it does not know is shown as npm told it", async () => {
    const { code, err } = await ended(start(["scripts/bootstrap.mjs", "start"], "npm error code EWHATEVER"));
    expect({ code, shown: err.includes("EWHATEVER") }).toEqual({ code: 1, shown: true });
  });
});

describe("the task in the launcher's place", () => {
  test("its exit code is the command's", async () => expect((await bootstrap("start", "fail")).code).toBe(3));

  test("an unknown task is refused with the list of tasks", async () => {
    expect(await bootstrap("toString")).toMatchObject({
      code: 2,
      err: expect.stringContaining("start | demo | bench"),
    });
  });

  test("SIGTERM reaches it, and its answer is the exit code", async () => {
    const child = start(["scripts/bootstrap.mjs", "start", "wait"]);
    const end = ended(child);
    await once(child.stdout as NodeJS.ReadableStream, "data");
    child.kill("SIGTERM");
    expect((await end).code).toBe(7);
  });

  test("./trefoil sets the clone up once and passes everything on", async () => {
    const first = await ended(start(["trefoil", "device", "create", "--json"]));
    expect(JSON.parse(first.out).args).toEqual(["device", "create", "--json"]);
    expect(await ended(start(["trefoil", "fail"]))).toMatchObject({ code: 3, err: "" });
    expect(installs()).toBe(1);
  });
});
