import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { formNames } from "./forms.ts";
import { needlesOf, type Secret } from "./needles.ts";
import { whileStopped } from "./running.ts";
import { scan } from "./scan.ts";

const secret = (kind: Secret["kind"], name: string): Secret => ({ kind, name, octets: randomBytes(16) });
const folder = mkdtempSync(join(tmpdir(), "custody-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A process that keeps exactly what it is given. */
const keeper = spawn(
  process.execPath,
  [
    "-e",
    `process.stdin.on("data", (given) => {
       const kept = Buffer.from(new ArrayBuffer(given.length)); given.copy(kept); given.fill(0);
       (globalThis.all ??= []).push(kept); process.stdout.write("kept");
     })`,
  ],
  { stdio: ["pipe", "pipe", "inherit"] },
);
afterAll(() => void keeper.kill("SIGKILL"));
const planted = secret("root key", "AppKey of a");
const needles = needlesOf([planted, secret("AppSKey", "AppSKey of b")]);
beforeAll(async () => {
  for (const form of formNames) {
    const octets = needles.find((needle) => needle.secret === planted && needle.form === form)?.octets;
    if (octets === undefined) continue; // base64url of a key that reads like its base64
    keeper.stdin.write(Buffer.concat([octets, Buffer.alloc(20)]));
    await once(keeper.stdout, "data");
  }
});

test.each(formNames)("a key that a stopped process holds as %s is found in its memory", async (form) => {
  if (!needles.some((needle) => needle.secret === planted && needle.form === form)) return;
  const suspect = { holder: "network-server", pid: keeper.pid as number } as const;
  const { finds } = await whileStopped([suspect.pid], () => scan("now", [suspect], [], needles));
  expect(finds).toContainEqual({
    ...{ holder: "network-server", place: "memory", where: "memory", kind: "root key", name: "AppKey of a" },
    ...{ form, mark: "now" },
  });
  expect(finds.every(({ name }) => name === "AppKey of a")).toBe(true);
});

test("a key is found in a file below a folder, also far into it; folders left out and links are not followed", () => {
  const inFile = secret("payload", "payload 1");
  mkdirSync(join(folder, "store"));
  mkdirSync(join(folder, "others"));
  const octets = Buffer.concat([randomBytes(100_001), inFile.octets, randomBytes(500)]);
  for (const path of ["store/store.sqlite-wal", "others/file"]) writeFileSync(join(folder, path), octets);
  symlinkSync(join(folder, "others"), join(folder, "link"));
  const suspects = [{ holder: "gateway-server", folder, without: ["others"] }] as const;
  const { finds } = scan("now", suspects, [], needlesOf([inFile, secret("payload", "payload 2")]));
  expect(finds).toEqual([
    {
      ...{ holder: "gateway-server", place: "files", where: "store/store.sqlite-wal", mark: "now" },
      ...{ kind: "payload", name: "payload 1", form: "raw" },
    },
  ]);
});

test("a key is found in a message and in a line", () => {
  const text = `{"msg":"key ${Buffer.from(planted.octets).toString("base64")}"}`;
  const piece = { holder: "join-server", place: "log", where: "its output", octets: Buffer.from(text) } as const;
  expect(scan("now", [], [piece], needles).finds).toMatchObject([
    { holder: "join-server", place: "log", form: "base64" },
  ]);
});
