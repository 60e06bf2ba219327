/** Files of the vault's own folder: mode 0600, replaced as a whole, on the disk before anybody counts on them. */
import { closeSync, constants, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { Fault } from "@trefoil/service";

/** O_SYNC, as Node's permission model forbids fsync. A power cut may bring the former file back, never half of one. */
const durably = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_SYNC;

export function writeDurably(path: string, contents: Uint8Array | string): void {
  const next = `${path}.new`;
  const octets = typeof contents === "string" ? Buffer.from(contents) : contents;
  const file = openSync(next, durably, 0o600);
  try {
    for (let at = 0; at < octets.length; ) at += writeSync(file, octets, at);
  } finally {
    closeSync(file);
  }
  renameSync(next, path);
}

/** `undefined` when there is no such file. */
export function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw new Fault("vault/unreadable", `${path} cannot be read (${code})`, { retry: "never", cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Fault("vault/damaged", `${path} is damaged: restore it from a backup`, { retry: "never", cause });
  }
}
