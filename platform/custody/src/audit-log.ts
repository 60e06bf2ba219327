/**
 * The audit log of keys (docs/audit-log.md): its lines, and the check of a whole log. No file is touched here, so the command line, and
 * anybody with the log and the vault's public audit key, can run it. Each process of the vault writes a chain of its own.
 *
 * A line is JSON; `previous` is the SHA-256 of the whole line before it. A `head` line is signed over all that went before.
 */
import { hash, type KeyObject, verify } from "node:crypto";
import type { Provenance, StatementKind } from "@trefoil/wire";
import { parseBase64 } from "./octets.ts";

/** What an entry is about. `result` is what became of it: the good outcome's word, or the code of a refusal. */
export type AuditEvent =
  /** `dropped`: octets of a half-written line at the end of the segment before: the process, or the power, was cut off. */
  | { readonly event: "start"; readonly instance: number; readonly engine: string; readonly dropped?: number }
  | { readonly event: "self-test"; readonly damaged: readonly string[] }
  | { readonly event: "stop" }
  /** The join server knows of an entry of a chain that this log does not have, or has otherwise: it was lost, an old one restored, or written anew. */
  | { readonly event: "behind"; readonly chain: number; readonly known: number }
  /** `payload`: SHA-256 of the signed text. */
  | {
      readonly event: "statement";
      readonly result: string;
      readonly kind?: StatementKind;
      readonly subject?: string;
      readonly issuedAt?: number;
      readonly payload: string;
    }
  | {
      readonly event: "import";
      readonly result: string;
      readonly devEui: string;
      readonly joinEui: string;
      readonly roles?: readonly string[];
      readonly provenance?: Provenance;
    }
  | {
      readonly event: "join";
      readonly result: string;
      readonly devEui: string;
      readonly joinEui: string;
      readonly request: "join" | 0 | 1 | 2;
      /** DevNonce, RJcount0 or RJcount1. */
      readonly nonce: number;
      readonly joinNonce: number;
      readonly network: string;
      readonly asId: string;
      readonly provenance?: Provenance;
    }
  | {
      readonly event: "export";
      readonly result: string;
      readonly devEui: string;
      readonly joinEui: string;
      readonly to: string;
    };
export type AuditHead = { readonly event: "head"; readonly signature: string };
export type AuditEntry = { readonly entry: number; readonly at: number; readonly previous: string } & (
  | AuditEvent
  | AuditHead
);

export const hashOfNothing = "0".repeat(64);
export const hashOfLine = (line: string | Uint8Array): string => hash("sha256", line, "hex");

/** One line, without its newline. */
export const auditLine = (entry: number, at: number, previous: string, event: AuditEvent | AuditHead): string =>
  JSON.stringify({ entry, at, previous, ...event });

/** What the audit key signs: that this vault's chain of this instance has come so far. */
export const headText = (
  fingerprint: string,
  instance: number,
  { entry, at, previous }: Pick<AuditEntry, "entry" | "at" | "previous">,
): Uint8Array => Buffer.from(["TREFOIL-AUDIT-HEAD-1", fingerprint, instance, entry, at, previous].join("\0"), "ascii");

/** A chain is kept in segments, `0-000000000001.jsonl`: the instance, and the first entry. Names sort as the entries do. */
export const segmentName = (instance: number, firstEntry: number): string =>
  `${instance}-${String(firstEntry).padStart(12, "0")}.jsonl`;
export function parseSegmentName(name: string): { readonly instance: number; readonly firstEntry: number } | undefined {
  const [, instance, firstEntry] = /^(0|[1-9]\d{0,2})-(\d{12})\.jsonl$/.exec(name) ?? [];
  return instance === undefined ? undefined : { instance: Number(instance), firstEntry: Number(firstEntry) };
}

export type AuditFindingCode =
  | "audit/changed"
  | "audit/missing"
  | "audit/reordered"
  | "audit/malformed"
  | "audit/signature"
  | "audit/half-line"
  | "audit/cut-off"
  | "audit/unsigned";
/** `entry`: where it was noticed. `audit/changed`: that entry, or one before it. */
export type AuditFinding = { readonly code: AuditFindingCode; readonly entry: number };
export type AuditReport = {
  /** `unsigned-tail`: all is well up to the last head; what came after it is not signed yet, as always while the vault runs. */
  readonly result: "sound" | "unsigned-tail" | "broken";
  readonly entries: number;
  readonly first: number;
  readonly last: number;
  /** The last entry that a good signature covers. */
  readonly signedTo: number;
  /** Starts after a cut: entries where the log itself says that a half-written line was dropped. */
  readonly cuts: readonly number[];
  /** Starts that found entries which no head covered: a crash leaves up to ten seconds of them, and so does who writes others in their place. */
  readonly unvouched: readonly { readonly entry: number; readonly entries: number }[];
  readonly findings: readonly AuditFinding[];
};

/** More entries than this between two heads are a finding: the vault signs far more often. */
export const longestUnsigned = 5_000;
const mostFindings = 100;

export type AuditLogToVerify = {
  /** The vault's audit key, and its fingerprint (VaultInfo). */
  readonly auditKey: KeyObject;
  readonly fingerprint: string;
  readonly instance: number;
  /** Contents of the segments, in the order of their names. */
  readonly segments: Iterable<Uint8Array>;
  /** An entry that is known to have been written (by the join server, from an earlier check): a log that ends before it was cut off. */
  readonly atLeast?: number;
  /** Told of each entry that could be read. */
  readonly onEntry?: (entry: AuditEntry) => void;
};

/** Checks one chain from its first segment to its last. */
export function verifyAuditLog({
  auditKey,
  fingerprint,
  instance,
  segments,
  atLeast = 0,
  onEntry,
}: AuditLogToVerify): AuditReport {
  const findings: AuditFinding[] = [];
  const cuts: number[] = [];
  const unvouched: { entry: number; entries: number }[] = [];
  let [entries, first, expected, signedTo, halfLine] = [0, 0, 1, 0, 0];
  let previous = hashOfNothing;
  const found = (code: AuditFindingCode, entry: number) => {
    if (findings.length < mostFindings) findings.push({ code, entry });
  };

  function take(line: Uint8Array, isFirstOfSegment: boolean): void {
    entries += 1;
    const read = parseAuditEntry(line);
    if (read === undefined) {
      found("audit/malformed", expected);
    } else {
      if (first === 0) first = read.entry;
      if (read.entry > expected) found("audit/missing", expected);
      else if (read.entry < expected) found("audit/reordered", read.entry);
      else if (read.previous !== previous) found("audit/changed", read.entry - 1);
      expected = read.entry;
      const dropped = read.event === "start" ? (read.dropped ?? 0) : 0;
      if (dropped !== (isFirstOfSegment ? halfLine : 0)) found("audit/half-line", read.entry);
      else if (dropped > 0) cuts.push(read.entry);
      if (read.event === "start" && read.entry - 1 > signedTo)
        unvouched.push({ entry: read.entry, entries: read.entry - 1 - signedTo });
      if (read.entry - signedTo > longestUnsigned) {
        found("audit/unsigned", signedTo + 1);
        signedTo = read.entry; // said once
      }
      if (read.event === "head") {
        if (isSignedHead({ auditKey, fingerprint, instance }, read, line)) signedTo = Math.max(signedTo, read.entry);
        else found("audit/signature", read.entry);
      }
      onEntry?.(read);
    }
    halfLine = 0;
    expected += 1;
    previous = hashOfLine(line);
  }

  for (const octets of segments) {
    const { lines, rest } = linesOf(octets);
    for (const [i, line] of lines.entries()) take(line, i === 0);
    // An empty segment was made by a process that was cut off before its first line: the half line before it is still to be told.
    if (lines.length > 0 || rest > 0) halfLine = rest + (lines.length === 0 ? halfLine : 0);
  }
  const last = entries === 0 ? 0 : expected - 1;
  if (last < atLeast) found("audit/cut-off", last + 1);
  const unsigned = last > signedTo || halfLine > 0;
  return {
    result: findings.length > 0 ? "broken" : unsigned ? "unsigned-tail" : "sound",
    entries,
    first,
    last,
    signedTo: Math.min(signedTo, last),
    cuts,
    unvouched,
    findings,
  };
}

/**
 * Whether a head is this vault's. The whole line must be what the signed values make: a head is the one line that no later one need cover.
 */
export function isSignedHead(
  { auditKey, fingerprint, instance }: Pick<AuditLogToVerify, "auditKey" | "fingerprint" | "instance">,
  head: AuditEntry,
  line: Uint8Array,
): boolean {
  if (head.event !== "head") return false;
  const { entry, at, previous, signature } = head;
  const octets = parseBase64(signature);
  if (octets === undefined || auditLine(entry, at, previous, { event: "head", signature }) !== text(line)) return false;
  return verify("sha256", headText(fingerprint, instance, head), { key: auditKey, dsaEncoding: "ieee-p1363" }, octets);
}

/** Whole lines, and how many octets are left after the last newline. */
export function linesOf(octets: Uint8Array): { readonly lines: readonly Uint8Array[]; readonly rest: number } {
  const lines: Uint8Array[] = [];
  let at = 0;
  for (let end = octets.indexOf(10); end >= 0; end = octets.indexOf(10, at)) {
    lines.push(octets.subarray(at, end));
    at = end + 1;
  }
  return { lines, rest: octets.length - at };
}

/** One line as read. Only what the chain needs is checked; what the event says is the vault's word. */
export function parseAuditEntry(line: Uint8Array): AuditEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text(line));
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { entry, at, previous, event } = value as { readonly [name: string]: unknown };
  const isCount = (number: unknown) => typeof number === "number" && Number.isSafeInteger(number) && number >= 0;
  return isCount(entry) && entry !== 0 && isCount(at) && typeof previous === "string" && typeof event === "string"
    ? (value as AuditEntry)
    : undefined;
}

const text = (octets: Uint8Array): string =>
  Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString("utf8");
