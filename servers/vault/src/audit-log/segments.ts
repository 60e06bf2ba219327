/** The audit log as it lies on the disk: where a chain ends, and its entries from any one on. */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import {
  type AuditEntry,
  hashOfLine,
  hashOfNothing,
  linesOf,
  parseAuditEntry,
  parseSegmentName,
  type SinceUse,
  type UsedNonces,
  type UsesSince,
} from "@trefoil/custody";
import { Fault } from "@trefoil/service";
import { readIfThere } from "../files.ts";

/** `dropped`: octets of a line that was not finished, after the last that was. */
export type End = { readonly entry: number; readonly hash: string; readonly dropped: number };

/** Names of one chain's segments, the oldest first. */
function segmentsOf(
  folder: string,
  instance: number,
): readonly { readonly name: string; readonly firstEntry: number }[] {
  return readdirSync(folder)
    .flatMap((name) => {
      const parsed = parseSegmentName(name);
      return parsed?.instance === instance ? [{ name, firstEntry: parsed.firstEntry }] : [];
    })
    .sort((a, b) => a.firstEntry - b.firstEntry);
}

/** Instances whose chains lie in a vault's folder. */
export function chainsOf(dataDir: string): readonly number[] {
  const names = readdirSync(join(dataDir, "audit-log"));
  const instances = names.flatMap((name) => parseSegmentName(name)?.instance ?? []);
  return [...new Set(instances)].sort((a, b) => a - b);
}

type Line = { readonly read: AuditEntry; readonly line: Uint8Array };

/**
 * Where a chain goes on. It is checked back to its last head, whose signature must be this vault's: nothing is built, and signed, upon what
 * somebody else wrote. What no head covers yet, a crash leaves; the verifier tells how much that was.
 */
export function findEnd(
  folder: string,
  instance: number,
  isHead: (head: AuditEntry, line: Uint8Array) => boolean,
): End {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const tail: Line[] = [];
  let end: End | undefined;
  for (const { name, firstEntry } of segmentsOf(folder, instance).toReversed()) {
    const { lines, rest } = linesOf(readIfThere(join(folder, name)) ?? Buffer.alloc(0));
    if (lines.length === 0) continue; // nothing in it was ever finished: it is written anew
    const damaged = (entry: number) =>
      new Fault("vault/audit-log-damaged", `${join(folder, name)} was changed at or before entry ${entry}`, {
        retry: "never",
      });
    const read = lines.map((line, i): Line => {
      const entry = parseAuditEntry(line);
      if (entry?.entry !== firstEntry + i) throw damaged(firstEntry + i);
      return { read: entry, line };
    });
    tail.unshift(...read);
    for (const [i, { read: entry }] of tail.slice(0, read.length + 1).entries()) {
      const before = tail[i - 1];
      const previous =
        before === undefined ? (entry.entry === 1 ? hashOfNothing : entry.previous) : hashOfLine(before.line);
      if (entry.previous !== previous || (before !== undefined && entry.entry !== before.read.entry + 1))
        throw damaged(entry.entry);
    }
    end ??= {
      entry: firstEntry + lines.length - 1,
      hash: hashOfLine(lines.at(-1) as Uint8Array),
      dropped: rest,
    };
    const head = read.findLast(({ read: entry }) => entry.event === "head");
    if (head === undefined) continue;
    if (!isHead(head.read, head.line)) throw damaged(head.read.entry);
    break;
  }
  return end ?? { entry: 0, hash: hashOfNothing, dropped: 0 };
}

/** Lines from this entry on, as far as they are on the disk. */
function* linesFrom(dataDir: string, instance: number, entry: number): Generator<Line> {
  const folder = join(dataDir, "audit-log");
  const segments = segmentsOf(folder, instance);
  const from = segments.findLastIndex(({ firstEntry }) => firstEntry <= entry);
  for (const { name, firstEntry } of segments.slice(Math.max(from, 0))) {
    const { lines } = linesOf(readIfThere(join(folder, name)) ?? Buffer.alloc(0));
    for (const line of lines.slice(Math.max(0, entry - firstEntry))) {
      const read = parseAuditEntry(line);
      if (read !== undefined && read.entry >= entry) yield { read, line };
    }
  }
}

/** Joins and rejoins that were answered after an entry, if the chain has it as the asker knows it. */
export function usesAfter(dataDir: string, { instance, entry, hash }: SinceUse, most: number): UsesSince {
  const uses: UsedNonces[] = [];
  const lines = linesFrom(dataDir, instance, Math.max(entry, 1));
  let upTo = { entry, hash: hash ?? hashOfNothing };
  if (entry > 0) {
    const first = lines.next().value as Line | undefined;
    const found = first?.read.entry === entry ? hashOfLine(first.line) : undefined;
    if (found === undefined || (hash !== undefined && hash !== found)) return { isKnown: false, uses, upTo };
    upTo = { entry, hash: found };
  }
  let last: Line | undefined;
  for (const one of lines) {
    last = one;
    const { read } = one;
    if (read.event !== "join" || read.result !== "joined") continue;
    const { devEui, joinEui, request, nonce, joinNonce } = read;
    uses.push({ instance, entry: read.entry, devEui, joinEui, request, nonce, joinNonce });
    if (uses.length >= most) break;
  }
  if (last !== undefined) upTo = { entry: last.read.entry, hash: hashOfLine(last.line) };
  return { isKnown: true, uses, upTo };
}
