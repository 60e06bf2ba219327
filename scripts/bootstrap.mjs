/**
 * What every npm script of the root runs: sets the clone up where needed, then becomes the task under Node 24.
 * Plain JavaScript without dependencies, because it is the first thing that runs after a clone, under any Node from 18 on.
 *
 *   node scripts/bootstrap.mjs TASK [ARGUMENTS]
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runChild } from "./launch/child.mjs";
import { ensureInstalled, innerNode, SetUpTrouble } from "./launch/install.mjs";

const tasks = {
  start: ["apps/trefoil/src/main.ts", "start"],
  demo: ["apps/trefoil/src/main.ts", "demo"],
  bench: ["bench/main.ts"],
  "verify:custody": ["apps/trefoil/src/main.ts", "verify-custody"],
  test: ["scripts/test.ts"],
};

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [name, ...args] = process.argv.slice(2);
const task = Object.hasOwn(tasks, name ?? "") ? tasks[name] : undefined;
const say = (line) => process.stderr.write(`${line}\n`); // standard output belongs to the task: it may print JSON

if (!task) {
  say(`Usage: node scripts/bootstrap.mjs ${Object.keys(tasks).join(" | ")} [arguments]`);
  process.exit(2);
}
try {
  await ensureInstalled(root, say);
  const [script, ...fixed] = task;
  const env = { ...process.env, PATH: `${join(root, "node_modules", ".bin")}:${process.env.PATH}` };
  const { code } = await runChild(innerNode(root), [join(root, script), ...fixed, ...args], { env });
  process.exitCode = code;
} catch (error) {
  if (error.code === "ENOEXEC" || error.code === "ENOENT") {
    say("node_modules was made for another kind of machine: delete it and run the same command again.");
  } else {
    say(error instanceof SetUpTrouble ? error.message : String(error.stack));
  }
  process.exitCode = 1;
}
