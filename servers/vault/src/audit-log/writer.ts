/**
 * Writes one chain of the audit log (docs/audit-log.md; the lines are @trefoil/custody's). Entries are made at once and written in groups, with
 * O_SYNC, off this thread: the vault goes on computing while a group is being written. Who appends an entry tells nobody what came
 * of it before `durable` has reached it.
 */
import { closeSync, write } from "node:fs";
import { join } from "node:path";
import {
  type AuditEvent,
  type AuditHead,
  auditLine,
  hashOfLine,
  headText,
  isSignedHead,
  segmentName,
  type Use,
} from "@trefoil/custody";
import { publicKeyOf } from "../audit-key.ts";
import { openToAppend, writeAll } from "../files.ts";
import type { Token } from "../token.ts";
import { findEnd } from "./segments.ts";

export type AuditLogOptions = {
  readonly dataDir: string;
  readonly instance: number;
  readonly token: Pick<Token<unknown>, "published" | "signHead" | "engine" | "auditPublicKey">;
  readonly clock?: () => number;
  /** A head is signed after so many entries, or so long after the first that none covers. */
  readonly headEveryEntries?: number;
  readonly headEveryMs?: number;
  readonly segmentOctets?: number;
};

export type AuditLog = {
  readonly instance: number;
  /** The last entry made. */
  readonly last: number;
  /** The last entry on the disk. */
  readonly durable: number;
  /** Makes an entry, and returns where it is. */
  readonly append: (event: AuditEvent) => Use;
  /** `written` is called whenever `durable` has advanced, `failed` when the disk refuses: nothing is durable any more. */
  readonly watch: (written: () => void, failed: (error: Error) => void) => void;
  /** Writes what is left, with a signed head. */
  readonly close: () => Promise<void>;
};

const defaults = { headEveryEntries: 1_000, headEveryMs: 10_000, segmentOctets: 4 << 20 };

export function openAuditLog(options: AuditLogOptions): AuditLog {
  const {
    dataDir,
    instance,
    token,
    clock = Date.now,
    headEveryEntries,
    headEveryMs,
    segmentOctets,
  } = {
    ...defaults,
    ...options,
  };
  const folder = join(dataDir, "audit-log");
  const { fingerprint } = token.published;
  const auditKey = publicKeyOf(token.auditPublicKey);
  const end = findEnd(folder, instance, (head, line) => isSignedHead({ auditKey, fingerprint, instance }, head, line));
  let { entry: last, hash: previous } = end;
  let durable = last;
  let signed = last;
  let waiting: string[] = [];
  let file = openSegment(last + 1);
  let held = 0; // octets of the segment
  let writing: Promise<void> | undefined;
  let failure: Error | undefined;
  let headTimer: NodeJS.Timeout | undefined;
  let soon: NodeJS.Immediate | undefined;
  let written = () => {};
  let failed = (_: Error) => {};

  function openSegment(firstEntry: number): number {
    // Of this name there can only be one in which no line was ever finished.
    return openToAppend(join(folder, segmentName(instance, firstEntry)), true);
  }

  function append(event: AuditEvent): Use {
    push(event);
    const use: Use = { instance, entry: last, hash: previous };
    if (last - signed >= headEveryEntries) sign();
    else headTimer ??= setTimeout(signInTime, headEveryMs).unref();
    soon ??= setImmediate(flush);
    return use;
  }

  function push(event: AuditEvent | AuditHead, at = clock()): void {
    const line = auditLine(last + 1, at, previous, event);
    last += 1;
    previous = hashOfLine(line);
    waiting.push(`${line}\n`);
  }

  /** A head is an entry too. A token that is gone signs nothing: the next time will do. */
  function sign(): void {
    clearTimeout(headTimer);
    headTimer = undefined;
    const at = clock();
    let signature: string;
    try {
      const octets = token.signHead(headText(fingerprint, instance, { entry: last + 1, at, previous }));
      signature = Buffer.from(octets).toString("base64");
    } catch {
      headTimer = setTimeout(signInTime, headEveryMs).unref();
      return;
    }
    push({ event: "head", signature }, at);
    signed = last;
  }

  function signInTime(): void {
    if (last > signed) sign();
    flush();
  }

  function flush(): void {
    clearImmediate(soon);
    soon = undefined;
    if (writing !== undefined || waiting.length === 0 || failure !== undefined) return;
    const upTo = last;
    const group = Buffer.from(waiting.join(""));
    if (held > segmentOctets) {
      closeSync(file);
      file = openSegment(upTo - waiting.length + 1);
      held = 0;
    }
    waiting = [];
    held += group.length;
    writing = writeFully(file, group).then(
      () => {
        writing = undefined;
        durable = upTo;
        written();
        flush();
      },
      (error: Error) => {
        writing = undefined;
        failure = error;
        failed(error);
      },
    );
  }

  append({
    event: "start",
    instance,
    engine: token.engine,
    ...(end.dropped === 0 ? {} : { dropped: end.dropped }),
  });
  return {
    instance,
    get last() {
      return last;
    },
    get durable() {
      return durable;
    },
    append,
    watch(onWritten, onFailed) {
      [written, failed] = [onWritten, onFailed];
      if (failure !== undefined) failed(failure);
    },
    async close() {
      clearTimeout(headTimer);
      clearImmediate(soon);
      while (writing !== undefined) await writing;
      if (failure !== undefined) return closeSync(file);
      push({ event: "stop" });
      sign();
      clearTimeout(headTimer);
      writeAll(file, waiting.join(""));
      durable = last;
      closeSync(file);
      written();
    },
  };
}

function writeFully(file: number, octets: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const from = (at: number) =>
      write(file, octets, at, octets.length - at, null, (error, length) => {
        if (error !== null) reject(error);
        else if (at + length < octets.length) from(at + length);
        else resolve();
      });
    from(0);
  });
}
