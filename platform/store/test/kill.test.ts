import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";

const child = new URL("./traffic-child.ts", import.meta.url).pathname;

/** Runs until `acknowledged` ids came, kills with SIGKILL, and gives all ids that came. */
function runAndKill(file: string, acknowledged: number): Promise<number[]> {
  return new Promise((resolve) => {
    const process_ = spawn(process.execPath, [child, file], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    let lines = 0;
    process_.stdout.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      lines += part.split("\n").length - 1;
      if (lines > acknowledged) process_.kill("SIGKILL");
    });
    process_.on("close", () => {
      // A cut last line is not an acknowledgement.
      const whole = text.slice(0, text.lastIndexOf("\n"));
      resolve(
        whole
          .split("\n")
          .filter((line) => /^\d+$/.test(line))
          .map(Number),
      );
    });
  });
}

test("kill -9 in mid-traffic, again and again: every acknowledged row is there, no unit is torn (DESIGN §4)", async () => {
  const dir = mkdtempSync(join(tmpdir(), "store-kill-"));
  const file = join(dir, "store.sqlite");
  const acknowledged: number[] = [];
  for (const moment of [1, 90, 400, 1300, 2500]) acknowledged.push(...(await runAndKill(file, moment)));

  const database = new DatabaseSync(file);
  const ids = new Set(
    database
      .prepare("SELECT id FROM outbox")
      .all()
      .map((row) => row.id),
  );
  const counter = database.prepare("SELECT value FROM counter").get()?.value;
  expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  database.close();
  rmSync(dir, { recursive: true });

  expect(acknowledged.length).toBeGreaterThan(4000);
  expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
  expect(new Set(acknowledged).size).toBe(acknowledged.length);
  expect(counter).toBe(Math.max(...(ids as Set<number>)));
}, 60_000);
