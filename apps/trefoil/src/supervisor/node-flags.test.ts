import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { nodeFlags, projectDir } from "./node-flags.ts";

const own = mkdtempSync(join(tmpdir(), "own-"));
afterAll(() => rmSync(own, { recursive: true }));

function tryRead(path: string): string {
  const program = `try { require("fs").readFileSync(${JSON.stringify(path)}); console.log("ok"); } catch (error) { console.log(error.code); }`;
  return spawnSync(process.execPath, [...nodeFlags(own), "-e", program], { encoding: "utf8" }).stdout.trim();
}

test("a server's fence lets it read its own folder and the code, and nothing else that lies in the project's folder", () => {
  writeFileSync(join(own, "store"), "x");
  expect(tryRead(join(own, "store"))).toBe("ok");
  expect(tryRead(join(projectDir, "servers/vault/src/main.ts"))).toBe("ok");
  // Where ./trefoil-data usually lies, with all servers' folders in it.
  expect(tryRead(join(projectDir, "README.md"))).toBe("ERR_ACCESS_DENIED");
  expect(tryRead(join(projectDir, "trefoil-data/vault/passphrase"))).toBe("ERR_ACCESS_DENIED");
  expect(tryRead("/etc/hostname")).toBe("ERR_ACCESS_DENIED");
});
