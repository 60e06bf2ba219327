/**
 * Makes a clone ready: the npm packages of package-lock.json, Node 24 among them. Plain JavaScript: any Node from 18 on.
 *
 * npm writes what it installed into node_modules/.package-lock.json as its last step, and `npm ci` begins by deleting it:
 * so that file is the stamp of a finished installation, and comparing it with package-lock.json tells what is stale.
 */
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { runChild } from "./child.mjs";
import { withLock } from "./lock.mjs";

/** A trouble of the machine, in one sentence for its user. */
export class SetUpTrouble extends Error {}

export const innerNode = (root) => join(root, "node_modules", "node", "bin", "node");

/** Is everything that package-lock.json names installed? Optional packages (other machines' binaries) may be missing. */
export function isInstalled(root) {
  const wanted = packagesOf(join(root, "package-lock.json"));
  const present = packagesOf(join(root, "node_modules", ".package-lock.json"));
  if (!wanted)
    throw new SetUpTrouble(
      `${join(root, "package-lock.json")} is missing or is not JSON: restore it (git checkout package-lock.json).`,
    );
  if (!present || !existsSync(innerNode(root))) return false;
  return Object.entries(wanted).every(([path, want]) => {
    if (path === "") return true; // the project itself
    const have = present[path];
    if (!have) return want.optional === true || want.devOptional === true;
    return have.version === want.version && have.integrity === want.integrity;
  });
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch {
    return undefined;
  }
}

/** Installs what is missing or stale. Two at once are safe: the second waits, then finds nothing to do. */
export async function ensureInstalled(root, say) {
  if (isInstalled(root)) return;
  try {
    await withLock(
      join(root, ".install.lock"),
      () => say("Another command is installing the npm packages: waiting for it ..."),
      async () => {
        if (!isInstalled(root)) await install(root, say);
      },
    );
  } catch (error) {
    const sentence = error instanceof SetUpTrouble ? undefined : explain(`${error.code} ${error.message}`, root);
    throw sentence ? new SetUpTrouble(sentence) : error;
  }
}

const flags = [
  "--loglevel=error",
  "--no-audit",
  "--no-fund",
  "--no-progress",
  "--no-update-notifier",
  "--engine-strict=false",
  "--ignore-scripts=false",
  "--include=dev",
  "--include=optional",
];

async function install(root, say) {
  const started = Date.now();
  say("Installing the npm packages of this clone, Node 24 among them (half a minute, once) ...");
  const npm = process.env.npm_execpath;
  const [command, ...first] =
    npm && basename(npm).startsWith("npm") ? [process.env.npm_node_execpath ?? process.execPath, npm] : ["npm"];
  const { code, output } = await runChild(command, [...first, "ci", ...flags], { cwd: root, capture: true });
  if (code !== 0) {
    const log = output.trim().split("\n").slice(-12).join("\n");
    throw new SetUpTrouble(explain(output, root) ?? `npm ci failed with exit code ${code}:\n${log}`);
  }
  if (!existsSync(innerNode(root))) {
    throw new SetUpTrouble(
      `The npm package "node" brought no Node 24 for ${process.platform}-${process.arch}: install Node 24 yourself and start Trefoil with it.`,
    );
  }
  say(`Installed in ${Math.round((Date.now() - started) / 1000)} s.`);
}

/** In this order: a full disk also makes connections fail, not the other way round. */
const troubles = [
  [
    /ENOSPC|EDQUOT/,
    () => "The disk is full: the npm packages need about 300 MB. Free some space and run the same command again.",
  ],
  [
    /EACCES|EPERM|EROFS/,
    (root) =>
      `No permission to write into ${root}: run this as the owner of that folder, or clone the project into a folder of your own.`,
  ],
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|ENOTCACHED|network/i,
    () =>
      "The npm registry cannot be reached: connect to the network (or set npm's proxy) and run the same command again.",
  ],
  [/spawn npm ENOENT/, () => "npm was not found: it comes with Node.js; install that and run the same command again."],
  [
    /EUSAGE/,
    () =>
      "package.json and package-lock.json disagree: run npm install and commit package-lock.json, or restore both from git.",
  ],
];

function explain(output, root) {
  return troubles.find(([pattern]) => pattern.test(output))?.[1](root);
}
