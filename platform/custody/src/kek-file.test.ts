import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openEnvelope, wrapEnvelope } from "./envelope.ts";
import { encodeKekFile } from "./kek.ts";
import { KekRing } from "./kek-file.ts";
import { makeKey } from "./key.ts";
import { makeOpener } from "./opening.ts";
import { makeSealingKeyPair } from "./receiver.ts";

const vault = makeSealingKeyPair();
const day = 24 * 3600 * 1000;
let folder: string;
let now: number;
const open = () => new KekRing(folder, () => now);
const labels = (ring: KekRing) => ring.all.map(({ label }) => label);
const keyFiles = () =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".key"))
    .sort();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kek-file-"));
  now = Date.now();
  writeFileSync(join(folder, "kek.key"), encodeKekFile({ label: "ns/000013", key: makeKey("KEK", 32) }), {
    mode: 0o600,
  });
  writeFileSync(join(folder, "vault.pub"), `${vault.published.publicKey}\n`);
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a new KEK is on the disk, its owner's alone, and sealed to the pinned vault; the former still opens, also after a restart", () => {
  const ring = open();
  const former = ring.newest;
  const { label, kek } = ring.make();
  expect(label).toBe("ns/000013/2");
  expect(ring.make().label).toBe("ns/000013/3");
  expect(statSync(join(folder, "kek.2.key")).mode & 0o777).toBe(0o600);
  const opened = makeOpener(vault.privateKey).open(kek);
  if (opened.result !== "opened") throw new Error(opened.code);
  const [key] = opened.keys;
  const session = makeKey("NwkSKey");
  const again = open();
  expect(labels(again)).toEqual(["ns/000013/3", "ns/000013/2", "ns/000013"]);
  for (const one of [former, { label, key: key?.key as typeof former.key }]) {
    const found = openEnvelope(again.all, wrapEnvelope(one, session), "NwkSKey");
    expect(found.result === "opened" && found.key.expose((a) => session.expose((b) => Buffer.compare(a, b)))).toBe(0);
  }
});

test("no KEK that may be in use is dropped, however old: nor one that the owner signed and nobody joined under yet", () => {
  const ring = open();
  ring.used("ns/000013");
  for (let i = 0; i < 3; i++) ring.make();
  now += 365 * day;
  expect(open().drop()).toEqual([]);
  const later = open();
  later.used("ns/000013/3");
  expect(later.drop()).toEqual(["ns/000013/2", "ns/000013"]);
  expect(keyFiles()).toEqual(["kek.3.key", "kek.4.key"]);
});

test("thirty days after its successor was used first, a KEK goes, unless something at rest is wrapped under it", () => {
  const ring = open();
  ring.used("ns/000013");
  ring.make();
  now += 40 * day;
  expect(open().drop()).toEqual([]);
  const later = open();
  later.used("ns/000013/2");
  expect(later.drop((label) => label === "ns/000013")).toEqual([]);
  expect(later.drop()).toEqual(["ns/000013"]);
  expect(labels(open())).toEqual(["ns/000013/2"]);
  expect(open().make().label).toBe("ns/000013/3");
  expect(readFileSync(join(folder, "keks.json"), "utf8")).not.toContain('"ns/000013":');
});

test("overlap: a KEK that was used within thirty days stays", () => {
  const ring = open();
  ring.make();
  now += 100 * day;
  ring.used("ns/000013");
  ring.used("ns/000013/2");
  now += 29 * day;
  expect(open().drop()).toEqual([]);
});

test("a base label that ends like a generation is kept whole (an NSID, an AS-ID)", () => {
  writeFileSync(join(folder, "kek.key"), encodeKekFile({ label: "as/acme/2", key: makeKey("KEK", 32) }));
  expect(open().make().label).toBe("as/acme/2/2");
  expect(open().make().label).toBe("as/acme/2/3");
});

test("without a vault, with too many, or with a broken file: a Fault, and nothing is made", () => {
  const ring = open();
  for (let i = 1; i < 16; i++) ring.make();
  expect(() => ring.make()).toThrow(expect.objectContaining({ code: "kek/too-many" }));
  rmSync(join(folder, "vault.pub"));
  expect(() => open().make()).toThrow(expect.objectContaining({ code: "kek/no-vault" }));
  writeFileSync(join(folder, "kek.7.key"), "TREFOIL");
  expect(open).toThrow(expect.objectContaining({ code: "start/keys" }));
  for (const name of keyFiles()) rmSync(join(folder, name));
  expect(open).toThrow(expect.objectContaining({ code: "start/keys" }));
});
