import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { judge } from "./judge.ts";
import { type Form, formNames, needlesOf, type Secret } from "./needles.ts";
import { scan } from "./scan.ts";

const secret = (kind: Secret["kind"], name: string): Secret => ({ kind, name, octets: randomBytes(16) });
const folder = mkdtempSync(join(tmpdir(), "custody-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A process that holds exactly these octets, for as long as the test looks at it. */
async function holding<T>(octets: Uint8Array, look: (pid: number) => T): Promise<T> {
  const child = spawn(
    process.execPath,
    [
      "-e",
      "process.stdin.once('data', (given) => { globalThis.kept = Buffer.from(new ArrayBuffer(given.length)); given.copy(kept); given.fill(0); console.log('held'); setInterval(() => kept, 1000); })",
    ],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  child.stdin.write(octets);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  try {
    return look(child.pid as number);
  } finally {
    child.kill("SIGKILL");
  }
}

test.each(formNames)("a key planted in a process's memory as %s is found and is a violation", async (form: Form) => {
  const planted = secret("root key", "AppKey of a");
  const needles = needlesOf([planted, secret("AppSKey", "AppSKey of a")]);
  const octets = needles.find((needle) => needle.secret === planted && needle.form === form)?.octets;
  if (octets === undefined) return; // base64url of this key reads like its base64
  const { finds } = await holding(octets, (pid) => scan([{ holder: "network-server", pid }], needles));
  expect(finds).toContainEqual({
    holder: "network-server",
    where: "memory",
    kind: "root key",
    name: "AppKey of a",
    form,
  });
  expect(judge(finds).violations).toHaveLength(finds.length);
});

test("a key planted in a file is found, also across the middle of it", () => {
  const planted = secret("payload", "payload 1");
  writeFileSync(
    join(folder, "store.sqlite-wal"),
    Buffer.concat([randomBytes(100_001), planted.octets, randomBytes(500)]),
  );
  const { finds } = scan([{ holder: "gateway-server", folder }], needlesOf([planted, secret("payload", "payload 2")]));
  expect(finds).toEqual([
    { holder: "gateway-server", where: "store.sqlite-wal", kind: "payload", name: "payload 1", form: "raw" },
  ]);
});

test("a rightful holder is no violation; one that is not seen to hold its key makes the proof blind", () => {
  const find = { where: "memory", name: "x", form: "raw" } as const;
  const good = judge([{ ...find, holder: "network-server", kind: "network session key" }]);
  expect(good.violations).toEqual([]);
  expect(good.blind).toEqual([["application-server", "AppSKey"]]);
  const bad = judge([{ ...find, holder: "network-server", kind: "AppSKey" }]);
  expect(bad.violations).toHaveLength(1);
  expect(bad.table["network-server"].AppSKey).toBe("held, forbidden");
});
