/**
 * The owner's statements on the disk: `statements.jsonl`, one SignedStatement a line, only ever added to. Written by the first process of
 * the vault alone. What a power cut left of a last line is dropped: its statement was never admitted.
 */
import { closeSync, statSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@trefoil/service";
import type { SignedStatement } from "@trefoil/wire";
import { openToAppend, readIfThere, readLines, writeAll, writeDurably } from "../files.ts";

const pageOctets = 2 << 20;
const rememberedPages = 16;

export type StatementFile = {
  /** Calls `use` for each statement that came since the last call. Costs one look at the file's size when there is none. */
  readonly read: (use: (signed: SignedStatement) => void) => void;
  /** On the disk when it returns. */
  readonly append: (signed: SignedStatement) => void;
  /** Those that `stands` says do, after the one with this signature: some 2 MB at most. */
  readonly page: (
    after: string | undefined,
    stands: (signed: SignedStatement) => boolean,
  ) => readonly SignedStatement[];
};

const damaged = (path: string) =>
  new Fault("vault/statements-damaged", `${path} has a line that is no statement: restore it from a backup`, {
    retry: "never",
  });

export function statementFile(dataDir: string): StatementFile {
  const path = join(dataDir, "statements.jsonl");
  let known = 0; // octets, all of them whole lines that were read or written
  /** Where the page after this signature begins. */
  const pages = new Map<string, number>();

  const parse = (line: string): SignedStatement => {
    const { payload, signature } = parseObject(line);
    if (typeof payload !== "string" || typeof signature !== "string") throw damaged(path);
    return { payload, signature };
  };

  return {
    read(use) {
      const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      if (size < known)
        throw new Fault("vault/statements-replaced", `${path} is shorter than it was`, { retry: "later" });
      if (size === known) return;
      for (const { line, end } of readLines(path, known)) {
        use(parse(line));
        known = end;
      }
    },
    append(signed) {
      dropHalfLine(path, known);
      const line = `${JSON.stringify({ payload: signed.payload, signature: signed.signature })}\n`;
      const file = openToAppend(path);
      try {
        writeAll(file, line);
      } finally {
        closeSync(file);
      }
      known += Buffer.byteLength(line);
    },
    page(after, stands) {
      const page: SignedStatement[] = [];
      let octets = 0;
      for (const { line, end } of readLines(path, after === undefined ? 0 : (pages.get(after) ?? 0))) {
        if (end > known) break;
        const signed = parse(line);
        if (!stands(signed)) continue;
        page.push(signed);
        octets += line.length;
        if (octets < pageOctets) continue;
        remember(pages, signed.signature, end);
        return page;
      }
      const last = page.at(-1);
      if (last !== undefined) remember(pages, last.signature, known);
      return page;
    },
  };
}

function dropHalfLine(path: string, whole: number): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) === whole) return;
  writeDurably(path, (readIfThere(path) ?? Buffer.alloc(0)).subarray(0, whole));
}

function remember(pages: Map<string, number>, signature: string, end: number): void {
  pages.delete(signature);
  pages.set(signature, end);
  for (const oldest of pages.keys()) {
    if (pages.size <= rememberedPages) break;
    pages.delete(oldest);
  }
}

function parseObject(line: string): { readonly [name: string]: unknown } {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as { readonly [name: string]: unknown }) : {};
  } catch {
    return {};
  }
}
