/** Reads what a process holds: its memory by /proc/PID/mem, and every file below its folder. Linux only. */
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../commands/output.ts";
import type { Form, Needle } from "./needles.ts";
import type { Holder, Kind } from "./policy.ts";
import { type Finder, makeFinder } from "./search.ts";

export type Suspect = { readonly holder: Holder; readonly pid?: number; readonly folder?: string };
export type Find = {
  readonly holder: Holder;
  readonly where: string;
  readonly kind: Kind;
  readonly name: string;
  readonly form: Form;
};
export type Scan = { readonly finds: readonly Find[]; readonly octets: number };

const chunkOctets = 8 * 1024 * 1024;

/** Searches all suspects. A find is reported once for each place, secret and form. */
export function scan(suspects: readonly Suspect[], needles: readonly Needle[]): Scan {
  const finder = makeFinder(needles);
  const finds = new Map<string, Find>();
  let octets = 0;
  for (const { holder, pid, folder } of suspects) {
    const note = (where: string) => (needle: Needle) => {
      const { kind, name } = needle.secret;
      finds.set([holder, where, kind, name, needle.form].join("|"), { holder, where, kind, name, form: needle.form });
    };
    if (pid !== undefined) octets += scanMemory(pid, finder, note("memory"));
    if (folder !== undefined) octets += scanFolder(folder, finder, note);
  }
  return { finds: [...finds.values()], octets };
}

/** Searches what the processes wrote to their logs: no process may hold anything there. */
export function scanLines(lines: readonly string[], needles: readonly Needle[]): readonly Find[] {
  const finds = new Map<string, Find>();
  makeFinder(needles).search(Buffer.from(lines.join("\n")), ({ secret: { kind, name }, form }) => {
    finds.set([kind, name, form].join("|"), { holder: "supervisor", where: "log lines", kind, name, form });
  });
  return [...finds.values()];
}

/** Regions that a process may write, and those it has written before: code and fonts mapped from files cannot hold secrets. */
function regionsOf(pid: number): readonly (readonly [number, number])[] {
  const maps = readFileSync(`/proc/${pid}/maps`, "utf8").trim().split("\n");
  return maps.flatMap((line) => {
    const match = /^([0-9a-f]+)-([0-9a-f]+) r(.)..\s\S+\s\S+\s(\d+)\s*(.*)$/.exec(line);
    if (!match) return [];
    const [, from, to, write, inode, name] = match;
    const isKernels = name === "[vvar]" || name === "[vsyscall]" || name === "[vdso]";
    return isKernels || (write !== "w" && inode !== "0")
      ? []
      : [[Number.parseInt(from as string, 16), Number.parseInt(to as string, 16)] as const];
  });
}

function scanMemory(pid: number, finder: Finder, found: (needle: Needle) => void): number {
  const memory = open(`/proc/${pid}/mem`, pid);
  const pagemap = open(`/proc/${pid}/pagemap`, pid);
  const chunk = new Uint8Array(chunkOctets);
  let total = 0;
  try {
    for (const region of regionsOf(pid)) {
      for (const [from, to] of touchedRuns(pagemap, region)) {
        for (let at = from; at < to; at += chunkOctets - finder.longest) {
          const read = readSome(memory, chunk, Math.min(chunkOctets, to - at), at);
          total += read;
          finder.search(chunk.subarray(0, read), found);
        }
      }
    }
  } finally {
    closeSync(memory);
    closeSync(pagemap);
  }
  return total;
}

const pageOctets = 4096;

/** The parts of a region that were ever written: bits 63 (present) and 62 (swapped) of /proc/PID/pagemap, 8 octets a page. */
function touchedRuns(pagemap: number, [from, to]: readonly [number, number]): (readonly [number, number])[] {
  const pages = (to - from) / pageOctets;
  const entries = new Uint8Array(pages * 8);
  const read = readSome(pagemap, entries, entries.length, (from / pageOctets) * 8);
  const runs: [number, number][] = [];
  for (let page = 0; page < read / 8; page++) {
    if (((entries[page * 8 + 7] as number) & 0xc0) === 0) continue;
    const at = from + page * pageOctets;
    const last = runs.at(-1);
    if (last?.[1] === at) last[1] = at + pageOctets;
    else runs.push([at, at + pageOctets]);
  }
  return runs;
}

function open(path: string, pid: number): number {
  try {
    return openSync(path, "r");
  } catch {
    throw new UserError(
      "custody/memory",
      `the memory of process ${pid} cannot be read: run the proof as root, or as the user that runs the network`,
    );
  }
}

/** Pages that are not there (guard pages, memory given back meanwhile) read as nothing. */
function readSome(fd: number, chunk: Uint8Array, length: number, at: number): number {
  try {
    return readSync(fd, chunk, 0, length, at);
  } catch {
    return 0;
  }
}

function scanFolder(folder: string, finder: Finder, note: (where: string) => (needle: Needle) => void): number {
  let total = 0;
  for (const path of filesBelow(folder)) {
    const octets = readFileSync(path);
    total += octets.length;
    finder.search(octets, note(path.slice(folder.length + 1)));
  }
  return total;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    const stat = lstatSync(path);
    return stat.isDirectory() ? filesBelow(path) : stat.isFile() ? [path] : [];
  });
}
