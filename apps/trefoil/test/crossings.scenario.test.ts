/**
 * DESIGN §2: "no process may open another's files, sockets or memory; tests try each crossing". Each server's user tries, with plain
 * system calls and without Trefoil's code, what a server that was taken over would try.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Role, roles } from "@trefoil/wire";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNetwork, type TestNetwork } from "./kit.ts";

const isRoot = process.getuid?.() === 0;
if (!isRoot)
  process.stderr.write("\n  SKIPPED: crossings between servers' users need root, which can choose users\n\n");

describe.skipIf(!isRoot)("a server's user tries to cross over", () => {
  let net: TestNetwork;
  beforeAll(async () => {
    net = await startTestNetwork();
  });
  afterAll(() => net?.close());

  const identityOf = (role: Role) => {
    const { users } = net.network;
    if (users.are !== "separate") throw new Error(`the servers share a user: ${users.because}`);
    return users.of[role];
  };

  /** Runs a line of Python as that user: what it printed, "ok" or the name of the error. */
  function as(role: Role, line: string): string {
    const { uid, gid } = identityOf(role);
    const program = `import os, sqlite3, socket\ntry:\n ${line}\n print("ok")\nexcept OSError as e: print(e.__class__.__name__)\nexcept sqlite3.Error as e: print("sqlite3", e)`;
    const drop = `import os; os.setgroups([]); os.setgid(${gid}); os.setuid(${uid})\n`;
    return spawnSync("python3", ["-c", drop + program], { encoding: "utf8", cwd: "/" }).stdout.trim();
  }

  const pairs = roles.flatMap((from) => roles.filter((to) => to !== from).map((to) => [from, to] as const));

  test.each(roles)(
    "the %s's own folder and memory are open to its own user: the attempts below can succeed",
    (role) => {
      expect(as(role, `os.listdir(${JSON.stringify(join(net.dataDir, role))})`)).toBe("ok");
    },
  );

  test.each(pairs)("%s → %s: folder, files, store", (from, to) => {
    const folder = join(net.dataDir, to);
    expect(as(from, `os.listdir(${JSON.stringify(folder)})`)).toBe("PermissionError");
    for (const name of readdirSync(folder)) {
      expect(as(from, `open(${JSON.stringify(join(folder, name))}, "rb").read(1)`), name).toMatch(
        /^(PermissionError)$/,
      );
    }
    expect(
      as(
        from,
        `sqlite3.connect(${JSON.stringify(join(folder, "store.sqlite"))}).execute("SELECT * FROM sqlite_master")`,
      ),
    ).toMatch(/unable to open/);
    expect(as(from, `open(${JSON.stringify(join(folder, "planted"))}, "w")`)).toBe("PermissionError");
  });

  test.each(pairs.filter(([, to]) => to !== "vault"))("%s → %s: administration socket", (from, to) => {
    expect(
      as(from, `socket.socket(socket.AF_UNIX).connect(${JSON.stringify(join(net.dataDir, to, "admin.sock"))})`),
    ).toBe("PermissionError");
  });

  test.each(pairs)("%s → %s: memory, and signals", (from, to) => {
    const pid = net.pid(to);
    expect(as(from, `open("/proc/${pid}/mem", "rb").read(1)`)).toBe("PermissionError");
    expect(as(from, `open("/proc/${pid}/environ", "rb").read(1)`)).toBe("PermissionError");
    expect(as(from, `os.kill(${pid}, 9)`)).toBe("PermissionError");
  });

  test.each(roles)("%s → the realm owner's folder and the supervisor", (from) => {
    expect(as(from, `open(${JSON.stringify(join(net.dataDir, "owner", "owner.key"))}, "rb").read(1)`)).toBe(
      "PermissionError",
    );
    expect(as(from, `os.listdir(${JSON.stringify(join(net.dataDir, "owner"))})`)).toBe("PermissionError");
    expect(as(from, `open("/proc/${process.pid}/mem", "rb").read(1)`)).toBe("PermissionError");
    expect(as(from, `open(${JSON.stringify(join(net.dataDir, "runtime.json"))}, "rb").read(1)`)).toBe(
      "PermissionError",
    );
  });
});
