/** DESIGN §2: "no process may open another's files, sockets or memory; tests try each crossing". */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Role, roles } from "@trefoil/wire";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Attempt, attempt } from "./burglar.ts";
import { startTestNetwork, type TestNetwork } from "./kit.ts";

const isRoot = process.getuid?.() === 0;
if (!isRoot)
  process.stderr.write("\n  SKIPPED: crossings between servers' users need root, which can choose users\n\n");

/** Files and sockets say EACCES, signals and other processes EPERM or EACCES, SQLite its own word. */
const refused = /^(EACCES|EPERM|ERR_SQLITE_ERROR)$/;

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
  const pathOf = (role: Role, name: string) => join(net.dataDir, role, name);

  /** Everything that there is to try on another server. */
  function attemptsOn(role: Role): Attempt[] {
    const pid = net.pid(role);
    return [
      { do: "list", to: join(net.dataDir, role) },
      { do: "write", to: pathOf(role, "planted") },
      { do: "sqlite", to: pathOf(role, "store.sqlite") },
      ...readdirSync(join(net.dataDir, role)).map((name): Attempt => ({ do: "read", to: pathOf(role, name) })),
      ...(role === "vault" ? [] : [{ do: "connect", to: pathOf(role, "admin.sock") } as const]),
      ...["mem", "environ", "maps"].map((name): Attempt => ({ do: "read", to: `/proc/${pid}/${name}` })),
      { do: "list", to: `/proc/${pid}/fd` },
      { do: "signal", to: `${pid}` },
    ];
  }

  test.each(roles.filter((role) => role !== "vault"))(
    "positive control: the %s's own user can do on its own folder what is tried below",
    (role) => {
      const attempts: Attempt[] = [
        { do: "list", to: join(net.dataDir, role) },
        { do: "read", to: pathOf(role, "tls.key") },
        { do: "sqlite", to: pathOf(role, "store.sqlite") },
        { do: "connect", to: pathOf(role, "admin.sock") },
      ];
      expect(attempt(identityOf(role), attempts)).toEqual(attempts.map(() => "ok"));
    },
  );

  test.each(roles.flatMap((from) => roles.filter((to) => to !== from).map((to) => [from, to] as const)))(
    "%s → %s: folder, files, store, socket, memory, signals",
    (from, to) => {
      const attempts = attemptsOn(to);
      const results = attempt(identityOf(from), attempts);
      for (const [i, result] of results.entries()) expect(result, JSON.stringify(attempts[i])).toMatch(refused);
    },
  );

  test.each(roles)("%s → the realm owner's folder and the supervisor", (from) => {
    const attempts: Attempt[] = [
      { do: "list", to: join(net.dataDir, "owner") },
      { do: "read", to: join(net.dataDir, "owner", "owner.key") },
      { do: "read", to: join(net.dataDir, "runtime.json") },
      { do: "connect", to: join(net.dataDir, "supervisor.sock") },
      { do: "write", to: join(net.dataDir, "planted") },
      { do: "read", to: `/proc/${process.pid}/mem` },
      { do: "signal", to: `${process.pid}` },
    ];
    const results = attempt(identityOf(from), attempts);
    for (const [i, result] of results.entries()) expect(result, JSON.stringify(attempts[i])).toMatch(refused);
  });
});
