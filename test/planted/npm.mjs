/** Stands for npm in tests of the bootstrap: "installs" what package-lock.json names, or fails as told by FAKE_NPM. */
import { appendFileSync, copyFileSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

appendFileSync("npm.log", `${process.argv.slice(2).join(" ")}\n`);
rmSync("node_modules", { recursive: true, force: true });
await sleep(300);
if (process.env.FAKE_NPM) {
  console.error(process.env.FAKE_NPM);
  process.exit(1);
}
mkdirSync("node_modules/node/bin", { recursive: true });
symlinkSync(process.execPath, "node_modules/node/bin/node");
copyFileSync("package-lock.json", "node_modules/.package-lock.json");
