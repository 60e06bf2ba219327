/**
 * Run as a process of its own, as the server's user: copies what is in the server's folder, which may be in use, into a folder in it.
 * So nobody but that user ever opens a server's store.
 *
 * Standard input: one JSON `CopyOrder`. Standard output: one JSON `Copied`.
 */
import { copyFileSync, lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { becomeUser } from "@trefoil/service";
import { copyStore } from "@trefoil/store";

export type CopyOrder = {
  readonly dataDir: string;
  readonly identity?: { readonly uid: number; readonly gid: number };
  /** Names of files that stay. */
  readonly leaveOut: readonly string[];
};
export type Copied = { readonly folder: string; readonly files: number };

/** Belongs to SQLite while the store is open. */
const storeParts = /^store\.sqlite-(wal|shm|journal)$/;

const order = JSON.parse(await text(process.stdin)) as CopyOrder;
if (order.identity) becomeUser(order.identity);
process.umask(0o077);
const folder = join(order.dataDir, ".backup");
rmSync(folder, { recursive: true, force: true });
process.stdout.write(JSON.stringify({ folder, files: copyFolder(order.dataDir, folder) } satisfies Copied));

function copyFolder(from: string, to: string): number {
  mkdirSync(to, { mode: 0o700 });
  let files = 0;
  for (const name of readdirSync(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    const entry = lstatSync(source);
    if (name === ".backup" || order.leaveOut.includes(name) || storeParts.test(name) || name.endsWith(".new")) continue;
    if (entry.isDirectory()) files += copyFolder(source, target);
    else if (entry.isFile()) {
      if (name === "store.sqlite") copyStore(source, target);
      else copyFileSync(source, target);
      files++;
    }
  }
  return files;
}
