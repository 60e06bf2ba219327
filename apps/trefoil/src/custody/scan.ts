/** Reads what a process holds: its memory by /proc/PID/mem, and every file below a folder. Linux only. */
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../commands/output.ts";
import type { Form } from "./forms.ts";
import type { Needle } from "./needles.ts";
import type { Holder, Kind, Place } from "./policy.ts";
import { type Finder, makeFinder } from "./search.ts";

export type Find = {
  readonly holder: Holder;
  readonly place: Place;
  /** Which file, which message. */
  readonly where: string;
  readonly kind: Kind;
  readonly name: string;
  readonly form: Form;
  /** When it was looked at. */
  readonly mark: string;
};

/** Octets that some process held somewhere: a message, a line, what a test has at hand. */
export type Piece = {
  readonly holder: Holder;
  readonly place: Place;
  readonly where: string;
  readonly octets: Uint8Array;
};
/** A process, or a folder with all below it, or one with its own files only. */
export type Suspect = { readonly holder: Holder } & (
  | { readonly pid: number }
  | { readonly folder: string; readonly without?: readonly string[] }
);
export type Scan = { readonly finds: readonly Find[]; readonly octets: number };

const chunkOctets = 4 * 1024 * 1024;

/** Searches all suspects and pieces. A find is reported once for each place, secret and form. */
export function scan(
  mark: string,
  suspects: readonly Suspect[],
  pieces: readonly Piece[],
  needles: readonly Needle[],
): Scan {
  const finder = makeFinder(needles);
  const finds = new Map<string, Find>();
  let octets = 0;
  const note = (holder: Holder, place: Place, where: string) => (needle: Needle) => {
    const { kind, name } = needle.secret;
    const { form } = needle;
    finds.set([holder, place, where, kind, name, form].join("|"), { holder, place, where, kind, name, form, mark });
  };
  for (const suspect of suspects) {
    const { holder } = suspect;
    if ("pid" in suspect) octets += scanMemory(suspect.pid, finder, note(holder, "memory", "memory"));
    else
      for (const path of filesBelow(suspect.folder, suspect.without ?? [])) {
        const file = readFile(path);
        octets += file.length;
        finder.search(file, note(holder, "files", path.slice(suspect.folder.length + 1)));
      }
  }
  for (const piece of pieces) {
    octets += piece.octets.length;
    finder.search(piece.octets, note(piece.holder, piece.place, piece.where));
  }
  return { finds: [...finds.values()], octets };
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

/** A file that was replaced meanwhile is searched under its new name, or the next time. */
function readFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Uint8Array(0);
    throw error;
  }
}

/** All files below a folder, but for what lies in its folders named in `without`. */
function filesBelow(folder: string, without: readonly string[] = []): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory()) return without.includes(name) ? [] : filesBelow(path);
    return stat?.isFile() ? [path] : [];
  });
}
