/**
 * Tries, as another user and with plain system calls, what a server that was taken over would try. Uses nothing of Trefoil's: a
 * bare Node that drops to the user first.
 */
import { spawnSync } from "node:child_process";

export type Attempt = { readonly do: "list" | "read" | "write" | "sqlite" | "connect" | "signal"; readonly to: string };

const program = `
const { uid, gid, attempts } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const fs = require("fs"), net = require("net"), { DatabaseSync } = require("sqlite");
process.setgroups([]); process.setgid(gid); process.setuid(uid);
const ways = {
  list: (to) => fs.readdirSync(to),
  read: (to) => { const file = fs.openSync(to, "r"); fs.readSync(file, Buffer.alloc(1), 0, 1, to.endsWith("/mem") ? 4096 * 1024 : 0); },
  write: (to) => fs.writeFileSync(to, "planted"),
  sqlite: (to) => new DatabaseSync(to).prepare("SELECT * FROM sqlite_master").all(),
  signal: (to) => process.kill(Number(to), 9),
  connect: (to) => new Promise((resolve, reject) => net.connect(to).once("connect", resolve).once("error", reject)),
};
(async () => {
  const results = [];
  for (const attempt of attempts) {
    try { await ways[attempt.do](attempt.to); results.push("ok"); } catch (error) { results.push(error.code ?? String(error)); }
  }
  console.log(JSON.stringify(results));
  process.exit(0);
})();
`.replace(`require("sqlite")`, `require("node:sqlite")`);

/** What became of each attempt: "ok", or the error's code. */
export function attempt(
  identity: { readonly uid: number; readonly gid: number },
  attempts: readonly Attempt[],
): readonly string[] {
  const { stdout, stderr } = spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", "-e", program], {
    input: JSON.stringify({ ...identity, attempts }),
    encoding: "utf8",
    cwd: "/",
  });
  if (stdout === "") throw new Error(`the attempt could not be made: ${stderr}`);
  return JSON.parse(stdout) as string[];
}
