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
  type UsedNonces,
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

/**
 * Where a chain goes on. The last segment is checked as a chain, so that nothing is built upon what was changed meanwhile; the whole log is
 * `trefoil audit-log verify`'s to check.
 */
export function findEnd(folder: string, instance: number): End {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const { name, firstEntry } of segmentsOf(folder, instance).toReversed()) {
    const { lines, rest } = linesOf(readIfThere(join(folder, name)) ?? Buffer.alloc(0));
    if (lines.length === 0) continue; // nothing in it was ever finished: it is written anew
    let previous: string | undefined;
    for (const [i, line] of lines.entries()) {
      const read = parseAuditEntry(line);
      const follows =
        read !== undefined &&
        read.entry === firstEntry + i &&
        (previous === undefined || read.previous === previous) &&
        (read.entry !== 1 || read.previous === hashOfNothing);
      if (!follows)
        throw new Fault(
          "vault/audit-log-damaged",
          `${join(folder, name)} was changed: entry ${firstEntry + i} does not follow the one before it`,
          { retry: "never" },
        );
      previous = hashOfLine(line);
    }
    return { entry: firstEntry + lines.length - 1, hash: previous ?? hashOfNothing, dropped: rest };
  }
  return { entry: 0, hash: hashOfNothing, dropped: 0 };
}

/** Entries after this one, as far as they are on the disk. */
export function* entriesAfter(dataDir: string, instance: number, entry: number): Generator<AuditEntry> {
  const folder = join(dataDir, "audit-log");
  const segments = segmentsOf(folder, instance);
  const from = segments.findLastIndex(({ firstEntry }) => firstEntry <= entry + 1);
  for (const { name, firstEntry } of segments.slice(Math.max(from, 0))) {
    const { lines } = linesOf(readIfThere(join(folder, name)) ?? Buffer.alloc(0));
    for (const line of lines.slice(Math.max(0, entry + 1 - firstEntry))) {
      const read = parseAuditEntry(line);
      if (read !== undefined && read.entry > entry) yield read;
    }
  }
}

/** Joins and rejoins that were answered after this entry. */
export function usesAfter(dataDir: string, instance: number, entry: number, most: number): readonly UsedNonces[] {
  const uses: UsedNonces[] = [];
  for (const read of entriesAfter(dataDir, instance, entry)) {
    if (read.event !== "join" || read.result !== "joined") continue;
    const { devEui, joinEui, request, nonce, joinNonce } = read;
    uses.push({ instance, entry: read.entry, devEui, joinEui, request, nonce, joinNonce });
    if (uses.length >= most) break;
  }
  return uses;
}
