/** Files of the vault's own folder: mode 0600, on the disk before anybody counts on them. */
import { closeSync, constants, openSync, readFileSync, readSync, renameSync, writeSync } from "node:fs";
import { Fault } from "@trefoil/service";

/** O_SYNC, as Node's permission model forbids fsync. A power cut may bring the former file back, never half of one. */
const durably = constants.O_WRONLY | constants.O_CREAT | constants.O_SYNC;
const chunkOctets = 1 << 20;

/** Replaces the file as a whole. */
export function writeDurably(path: string, contents: Uint8Array | string): void {
  const next = `${path}.new`;
  const file = openSync(next, durably | constants.O_TRUNC, 0o600);
  try {
    writeAll(file, contents);
  } finally {
    closeSync(file);
  }
  renameSync(next, path);
}

/** For adding to the end of it. `anew`: what was in it does not count. */
export const openToAppend = (path: string, anew = false): number =>
  openSync(path, durably | constants.O_APPEND | (anew ? constants.O_TRUNC : 0), 0o600);

export function writeAll(file: number, contents: Uint8Array | string): void {
  const octets = typeof contents === "string" ? Buffer.from(contents) : contents;
  for (let at = 0; at < octets.length; ) at += writeSync(file, octets, at);
}

/** `undefined` when there is no such file. */
export function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw new Fault("vault/unreadable", `${path} cannot be read (${code})`, { retry: "never", cause });
  }
}

/** `undefined` when there is no such file. */
export function readJson(path: string): unknown {
  const octets = readIfThere(path);
  if (octets === undefined) return undefined;
  try {
    return JSON.parse(octets.toString("utf8"));
  } catch (cause) {
    throw new Fault("vault/damaged", `${path} is damaged: restore it from a backup`, { retry: "never", cause });
  }
}

/** Whole lines from an offset on, without their newlines, and where each ends. A file of any size is read in chunks. */
export function* readLines(path: string, from: number): Generator<{ readonly line: string; readonly end: number }> {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return;
    throw new Fault("vault/unreadable", `${path} cannot be read (${code})`, { retry: "never", cause });
  }
  try {
    const chunk = Buffer.allocUnsafeSlow(chunkOctets);
    let rest = Buffer.alloc(0);
    let end = from;
    for (let at = from; ; ) {
      const length = readSync(file, chunk, 0, chunk.length, at);
      if (length === 0) return;
      at += length;
      const held = Buffer.concat([rest, chunk.subarray(0, length)]);
      let start = 0;
      for (let newline = held.indexOf(10); newline >= 0; newline = held.indexOf(10, start)) {
        end += newline + 1 - start;
        yield { line: held.toString("utf8", start, newline), end };
        start = newline + 1;
      }
      rest = held.subarray(start);
    }
  } finally {
    closeSync(file);
  }
}
