import type { Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ask, type Mini, makeMini } from "./mini-server.ts";

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });
let mini: Mini;
beforeEach(async () => {
  mini = await makeMini();
});
afterEach(() => mini.remove());

const vaultBody = (name: string) =>
  `http: false, start(ctx) { const pipe = openVaultPipe(); pipe.on("data", (d) => pipe.write(${JSON.stringify(name)} + d)); ctx.onStop(() => pipe.destroy()); }`;
const joinBody = `start(ctx) {
  const pipes = [];
  ctx.onVaultPipe((it, instance) => { pipes[instance] = it; it.on("error", () => 0); });
  ctx.admin.get("/ask/:instance", async ({ params }) => { const pipe = pipes[params.instance]; return { answer: pipe ? await new Promise((resolve) => { pipe.once("data", (d) => resolve(String(d))); pipe.write("!"); }) : "none" }; });
}`;

test("the vault's pipe reaches the join-server as a socket handle, and anew after each restart of the vault; also when it comes before its start", async () => {
  const vault = mini.start("vault", vaultBody("one"));
  const joinServer = mini.start("join-server", joinBody);
  const give = (from: typeof vault, instance = 0) =>
    joinServer.process.send({ vaultPipe: true, instance }, from.process.stdio[4] as Socket);
  const socketPath = join(mini.network.dataDir("join-server"), "admin.sock");
  const answer = async (instance = 0) => JSON.parse((await ask({ socketPath, path: `/ask/${instance}` })).body).answer;
  const other = mini.start("vault", vaultBody("other"));
  give(vault);
  give(other, 1);
  expect(await vault.ready).toEqual({});
  await joinServer.ready;
  expect(await answer()).toBe("one!");
  expect(await answer(1)).toBe("other!");
  await vault.kill();
  const second = mini.start("vault", vaultBody("two"));
  await second.ready;
  give(second);
  await expect.poll(() => answer()).toBe("two!");
  expect(await answer(1)).toBe("other!");
  expect((await second.stop()).code).toBe(0);
  expect((await other.stop()).code).toBe(0);
  expect((await joinServer.stop()).code).toBe(0);
});
