/** How the audit log is written: in groups, before answers leave, and on after whatever happened. */
import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AuditEntry, type AuditEvent, parseAuditEntry, verifyAuditLog } from "@trefoil/custody";
import { afterEach, expect, it, vi } from "vitest";
import { chainsOf, usesAfter } from "../src/audit-log/segments.ts";
import { type AuditLog, type AuditLogOptions, openAuditLog } from "../src/audit-log/writer.ts";

vi.mock("node:fs", { spy: true });
const fs = await import("node:fs");

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const token = {
  auditPublicKey: publicKey.export({ type: "spki", format: "der" }).toString("base64"),
  engine: "software" as const,
  published: { publicKey: "", fingerprint: "0f".repeat(32) },
  signHead: (octets: Uint8Array) => sign("sha256", octets, { key: privateKey, dsaEncoding: "ieee-p1363" }),
};
const folders: string[] = [];
const folder = () => {
  const made = mkdtempSync(join(tmpdir(), "trefoil-audit-log-"));
  folders.push(made);
  return made;
};
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
  vi.restoreAllMocks();
});
const open = (dataDir: string, options: Partial<AuditLogOptions> = {}): AuditLog =>
  openAuditLog({ dataDir, instance: 0, token, ...options });
const use = (nonce = 1): AuditEvent => ({
  ...{ event: "join", result: "joined", devEui: "0011223344556677", joinEui: "70b3d57ed0000001" },
  ...{ request: "join", nonce, joinNonce: nonce, network: "000013", asId: "as" },
});
const segments = (dataDir: string) => readdirSync(join(dataDir, "audit-log")).sort();
const contents = (dataDir: string) => segments(dataDir).map((name) => readFileSync(join(dataDir, "audit-log", name)));
const lastOf = (dataDir: string) => join(dataDir, "audit-log", segments(dataDir).at(-1) ?? "");
function read(dataDir: string) {
  const entries: AuditEntry[] = [];
  const report = verifyAuditLog({
    ...{ auditKey: createPublicKey(privateKey), fingerprint: token.published.fingerprint, instance: 0 },
    ...{ segments: contents(dataDir), onEntry: (entry) => entries.push(entry) },
  });
  return { report, entries, events: entries.map(({ event }) => event) };
}
const until = (log: AuditLog, entry: number) =>
  new Promise<void>((resolve) => {
    const look = () => (log.durable >= entry ? resolve() : undefined);
    log.watch(look, () => {});
    look();
  });

it("an entry is on the disk when `durable` has reached it, and not said to be before", async () => {
  const dataDir = folder();
  const log = open(dataDir);
  const { entry, hash } = log.append(use());
  expect([entry, log.last, log.durable]).toEqual([2, 2, 0]);
  await until(log, entry);
  expect(contents(dataDir).join("")).toContain('"event":"join"');
  await log.close();
  expect(read(dataDir).report.result).toBe("sound");
  expect(read(dataDir).entries[entry]?.previous).toBe(hash);
});

it("what comes while a group is being written makes the next group: one write for many entries", async () => {
  const dataDir = folder();
  const log = open(dataDir);
  await until(log, log.append(use()).entry);
  vi.mocked(fs.write).mockClear();
  for (let i = 0; i < 500; i += 1) log.append(use(i));
  await until(log, log.last);
  expect(vi.mocked(fs.write).mock.calls.length).toBeLessThanOrEqual(2);
  await log.close();
  expect(read(dataDir).report).toMatchObject({ result: "sound", last: 504 });
});

it("files are 0600 in a folder of 0700, and written with O_SYNC", async () => {
  const dataDir = folder();
  vi.mocked(fs.openSync).mockClear();
  const log = open(dataDir);
  await log.close();
  expect(statSync(join(dataDir, "audit-log")).mode & 0o777).toBe(0o700);
  expect(statSync(lastOf(dataDir)).mode & 0o777).toBe(0o600);
  const flags = vi.mocked(fs.openSync).mock.calls.flatMap(([, flag]) => (typeof flag === "number" ? flag : []));
  expect(
    flags.some((flag) => (flag & fs.constants.O_SYNC) === fs.constants.O_SYNC && (flag & fs.constants.O_APPEND) !== 0),
  ).toBe(true);
});

it("heads are signed every so many entries, after so long, and at the end", async () => {
  const dataDir = folder();
  const log = open(dataDir, { headEveryEntries: 10, headEveryMs: 1 });
  for (let i = 0; i < 35; i += 1) log.append(use(i));
  const heads = () => read(dataDir).events.filter((event) => event === "head").length;
  await until(log, log.last);
  expect(heads()).toBeGreaterThanOrEqual(3);
  while (read(dataDir).report.result !== "sound") await new Promise((done) => setTimeout(done, 1)); // the timer's
  await log.close();
  expect(read(dataDir).events.slice(-2)).toEqual(["stop", "head"]);
});

it("an entry's number is its own, also where a head follows it at once", async () => {
  const dataDir = folder();
  const log = open(dataDir, { headEveryEntries: 1 });
  const { entry } = log.append(use(77));
  await log.close();
  expect(read(dataDir).entries[entry - 1]).toMatchObject({ event: "join", nonce: 77 });
});

it("a token that is gone signs nothing, and the log goes on until it is back", async () => {
  const dataDir = folder();
  let gone = true;
  const signHead = (octets: Uint8Array) => {
    if (gone) throw new Error("the token is gone");
    return token.signHead(octets);
  };
  const log = open(dataDir, { headEveryEntries: 2, headEveryMs: 1, token: { ...token, signHead } });
  for (let i = 0; i < 10; i += 1) log.append(use(i));
  await until(log, log.last);
  expect(read(dataDir).report).toMatchObject({ result: "unsigned-tail", signedTo: 0, last: 11 });
  gone = false;
  await log.close();
  expect(read(dataDir).report.result).toBe("sound");
});

it("segments end when they are large, and the chain goes through them", async () => {
  const dataDir = folder();
  const log = open(dataDir, { segmentOctets: 1_000 });
  for (let i = 0; i < 30; i += 1) await until(log, log.append(use(i)).entry);
  await log.close();
  expect(segments(dataDir).length).toBeGreaterThan(5);
  expect(read(dataDir).report).toMatchObject({ result: "sound", findings: [] });
});

it("each start begins a segment that says so, and goes on where the last ended", async () => {
  const dataDir = folder();
  for (let i = 0; i < 3; i += 1) {
    const log = open(dataDir);
    log.append(use(i));
    await log.close();
  }
  const { report, events } = read(dataDir);
  expect(events).toEqual(Array.from({ length: 3 }, () => ["start", "join", "stop", "head"]).flat());
  expect([report.result, segments(dataDir)]).toEqual([
    "sound",
    ["0-000000000001.jsonl", "0-000000000005.jsonl", "0-000000000009.jsonl"],
  ]);
});

it("after a power cut the chain goes on with an entry that says what was dropped", async () => {
  const dataDir = folder();
  await open(dataDir).close();
  const half = '{"entry":4,"at":17000';
  appendFileSync(lastOf(dataDir), half);
  const log = open(dataDir);
  await log.close();
  const { report, entries } = read(dataDir);
  expect(entries[3]).toMatchObject({ entry: 4, event: "start", dropped: half.length });
  expect(report).toMatchObject({ result: "sound", cuts: [4] });
});

it("a process that was cut off in its very first line leaves nothing that stands", async () => {
  const dataDir = folder();
  await open(dataDir).close();
  writeFileSync(join(dataDir, "audit-log", "0-000000000004.jsonl"), '{"entry":4,"at"');
  await open(dataDir).close();
  expect(read(dataDir)).toMatchObject({ report: { result: "sound", cuts: [], last: 6 } });
});

it.each<[string, (text: string) => string]>([
  ["changed", (text) => text.replace('"nonce":3', '"nonce":4')],
  ["removed", (text) => text.split("\n").toSpliced(2, 1).join("\n")],
  [
    "exchanged",
    (text) =>
      text
        .replaceAll('"entry":3', '"entry":x')
        .replaceAll('"entry":4', '"entry":3')
        .replaceAll('"entry":x', '"entry":4'),
  ],
])("nothing is built upon a last segment with an entry %s: the vault does not open", async (_, change) => {
  const dataDir = folder();
  const log = open(dataDir);
  for (const nonce of [2, 3, 4]) log.append(use(nonce));
  await log.close();
  writeFileSync(lastOf(dataDir), change(readFileSync(lastOf(dataDir), "utf8")));
  expect(() => open(dataDir)).toThrow(expect.objectContaining({ code: "vault/audit-log-damaged", retry: "never" }));
});

it("entries that no head covered when the process ended are told apart: anybody could have written them", async () => {
  const dataDir = folder();
  const log = open(dataDir);
  await until(log, log.append(use()).entry);
  const cut = folder();
  cpSync(dataDir, cut, { recursive: true }); // as a crash leaves it
  await log.close();
  await open(cut).close();
  expect(read(cut).report).toMatchObject({ result: "sound", unvouched: [{ entry: 3, entries: 2 }] });
});

it("a disk that refuses makes nothing durable: whoever watches is told", async () => {
  const dataDir = folder();
  const log = open(dataDir);
  await until(log, log.last);
  vi.mocked(fs.write).mockImplementationOnce(((...args: unknown[]) => {
    (args.at(-1) as (error: Error) => void)(new Error("no space left"));
  }) as never);
  const durable = log.durable;
  const failed = new Promise<Error>((resolve) => log.watch(() => {}, resolve));
  log.append(use());
  expect((await failed).message).toBe("no space left");
  expect(log.durable).toBe(durable);
  log.append(use());
  await log.close();
  expect(log.durable).toBe(durable);
  expect(contents(dataDir).join("")).not.toContain('"event":"join"');
});

it("each process has a chain of its own", async () => {
  const dataDir = folder();
  const logs = [0, 1].map((instance) => open(dataDir, { instance }));
  for (const log of logs) log.append(use(log.instance));
  for (const log of logs) await log.close();
  expect(segments(dataDir)).toEqual(["0-000000000001.jsonl", "1-000000000001.jsonl"]);
  expect(usesAfter(dataDir, { instance: 1, entry: 0 }, 10).uses).toMatchObject([{ instance: 1, entry: 2, nonce: 1 }]);
  expect(chainsOf(dataDir)).toEqual([0, 1]);
});

it("uses after an entry are found across segments, joined ones alone, no more than asked for", async () => {
  const dataDir = folder();
  const log = open(dataDir, { segmentOctets: 500 });
  const entries: number[] = [];
  for (let i = 0; i < 40; i += 1) {
    entries.push(log.append(use(i)).entry);
    log.append({ ...use(i), result: "join/mic-failed" } as AuditEvent);
    await until(log, log.last);
  }
  await log.close();
  const after = (entry: number, most = 1_000) =>
    usesAfter(dataDir, { instance: 0, entry }, most).uses.map((found) => found.entry);
  expect(after(0)).toEqual(entries);
  for (const [i, entry] of entries.entries()) expect(after(entry)).toEqual(entries.slice(i + 1));
  expect(after(entries[4] ?? 0, 3)).toEqual(entries.slice(5, 8));
  expect(usesAfter(dataDir, { instance: 0, entry: 10_000 }, 9)).toMatchObject({ isKnown: false, uses: [] });
  expect(parseAuditEntry(Buffer.from("{}"))).toBeUndefined();
});
