/** DESIGN §2, proven on a running network: `trefoil verify-custody` finds what was planted, and nothing else. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { projectDir } from "../src/supervisor/node-flags.ts";

test("a root key planted in the network-server's folder is the only violation; the rightful holders are seen to hold their keys", {
  timeout: 300_000,
}, async () => {
  const args = [`${projectDir}apps/trefoil/src/main.ts`, "verify-custody", "--plant-leak", "network-server", "--json"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  expect(err).toBe("");
  const proof = JSON.parse(out);
  expect(proof.violations).toEqual([
    expect.objectContaining({ holder: "network-server", where: "planted", kind: "root key", form: "hex" }),
  ]);
  expect(proof.blind).toEqual([]);
  expect(proof.joins).toBe(6);
  expect(proof.table["gateway-server"]).toEqual(
    Object.fromEntries(Object.keys(proof.table.vault).map((kind) => [kind, "no copy found"])),
  );
  expect(code).toBe(1);
});
