/** A throw-away tree of files, for tests of the tools that check trees. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export type ToyTree = {
  readonly path: string;
  readonly write: (file: string, text: string) => void;
  readonly remove: () => void;
};

export function makeToyTree(): ToyTree {
  const path = mkdtempSync(join(tmpdir(), "trefoil-toy-"));
  return {
    path,
    write: (file, text) => {
      mkdirSync(dirname(join(path, file)), { recursive: true });
      writeFileSync(join(path, file), text);
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}
