/**
 * One holder at a time, between processes. Plain JavaScript: any Node from 18 on.
 * The lock is a file with its holder's pid in it; a holder that died without a word loses it.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Runs `work` as the only holder of `file`. `onWait` is called once when another holder is waited for. */
export async function withLock(file, onWait, work) {
  let told = false;
  while (!(await take(file))) {
    if (!told) onWait();
    told = true;
    await sleep(200);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

async function take(file) {
  if (!create(file)) {
    if (holderLives(file)) return false;
    removeStale(file);
    if (!create(file)) return false;
  }
  // Two waiters may both have found a dead holder, and the slower one may have removed the faster one's new file.
  await sleep(50);
  return read(file) === String(process.pid);
}

function create(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

function holderLives(file) {
  const pid = Number(read(file));
  if (pid === process.pid) return false; // left by an earlier process that had our pid
  if (!(pid > 0)) return read(file) !== undefined; // created and not yet written: look again
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function removeStale(file) {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  rmSync(aside, { force: true });
}
