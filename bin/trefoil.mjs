#!/usr/bin/env node
/**
 * `trefoil`: finds the right Node and runs the command line under it, with the arguments as they are.
 * Plain JavaScript, because the Node that runs it may be too old for the rest.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runChild } from "../scripts/launch/child.mjs";
import { ensureInstalled, innerNode, SetUpTrouble } from "../scripts/launch/install.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Node 24 of this clone; else the one that runs this, when it is new enough and the packages are there; else the clone is set up first. */
async function findNode() {
  if (existsSync(innerNode(root))) return innerNode(root);
  const own = Number(process.versions.node.split(".")[0]) >= 24;
  if (own && existsSync(join(root, "node_modules", "commander"))) return process.execPath;
  await ensureInstalled(root, (line) => process.stderr.write(`${line}\n`));
  return innerNode(root);
}

try {
  const { code } = await runChild(await findNode(), [join(root, "apps/trefoil/src/main.ts"), ...process.argv.slice(2)]);
  process.exitCode = code;
} catch (error) {
  process.stderr.write(`${error instanceof SetUpTrouble ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
