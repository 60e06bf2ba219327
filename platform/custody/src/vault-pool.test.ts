import { type Duplex, duplexPair } from "node:stream";
import { expect, it } from "vitest";
import { encodePipeFrame, readPipeFrames } from "./pipe.ts";
import { vaultPool } from "./vault-pool.ts";
import type { VaultJoin, VaultRequest } from "./vault-port.ts";

/** One process of the vault, played by the test: it keeps what it is asked until told to answer. */
function process() {
  const [ours, theirs] = duplexPair() as [Duplex, Duplex];
  const asked: VaultRequest[] = [];
  readPipeFrames(theirs, (value) => void asked.push(value as VaultRequest));
  return {
    ours,
    asked,
    answer: (answer: unknown) => theirs.write(encodePipeFrame({ id: asked.shift()?.id, answer })),
  };
}
const turns = async (until: () => boolean) => {
  while (!until()) await new Promise((done) => setImmediate(done));
};
const setUp = (instances: number) => {
  const pool = vaultPool();
  const processes = Array.from({ length: instances }, process);
  for (const [instance, { ours }] of processes.entries()) pool.attach(instance, ours);
  return { pool, processes };
};
const joining = {} as VaultJoin;

it("joins go to the process with the fewest under way", async () => {
  const { pool, processes } = setUp(3);
  const [zero, one, two] = processes as [
    ReturnType<typeof process>,
    ReturnType<typeof process>,
    ReturnType<typeof process>,
  ];
  const all = Array.from({ length: 5 }, () => pool.join(joining).catch(() => "closed"));
  await turns(() => zero.asked.length + one.asked.length + two.asked.length === 5);
  expect([zero, one, two].map(({ asked }) => asked.length)).toEqual([2, 2, 1]);
  expect(pool.pending).toBe(5);
  zero.answer("first");
  expect(await all[0]).toBe("first");
  pool.close();
  expect(await Promise.all(all)).toEqual(["first", "closed", "closed", "closed", "closed"]);
});

it("statements and exports are instance 0's alone, also while it is gone", async () => {
  const { pool, processes } = setUp(2);
  const [zero, one] = processes;
  const admitted = pool.admit({ payload: "", signature: "" });
  const exported = pool.exportRootKeys({ to: "", device: { devEui: "", joinEui: "" } });
  await turns(() => zero?.asked.length === 2);
  expect([zero?.asked.map(({ method }) => method), one?.asked]).toEqual([["admit", "exportRootKeys"], []]);
  for (const answer of ["a", "b"]) zero?.answer(answer);
  expect([await admitted, await exported]).toEqual(["a", "b"]);
  zero?.ours.destroy();
  await turns(() => pool.each()[0]?.connected === false);
  await expect(pool.admit({ payload: "", signature: "" })).rejects.toMatchObject({ code: "vault/unreachable" });
  const joined = pool.join(joining);
  await turns(() => one?.asked.length === 1);
  one?.answer("joined");
  expect(await joined).toBe("joined");
  pool.close();
});

it("each process can be asked by itself, and one that comes again takes its old place", async () => {
  const { pool, processes } = setUp(2);
  expect(pool.each().map(({ instance, connected }) => [instance, connected])).toEqual([
    [0, true],
    [1, true],
  ]);
  const status = pool.each()[1]?.vault.status({});
  await turns(() => processes[1]?.asked.length === 1);
  processes[1]?.answer({ instance: 1 });
  expect(await status).toEqual({ instance: 1 });
  const again = process();
  pool.attach(1, again.ours);
  const uses = pool.each()[1]?.vault.usesSince({ instance: 1, entry: 7 });
  await turns(() => again.asked.length === 1);
  again.answer([]);
  expect([await uses, pool.each().length]).toEqual([[], 2]);
  pool.close();
});

it("all statements are had page by page", async () => {
  const { pool, processes } = setUp(1);
  const [zero] = processes;
  const all = pool.statements({});
  const page = (...names: string[]) => names.map((signature) => ({ payload: "{}", signature }));
  for (const [answer, after] of [
    [page("a", "b"), undefined],
    [page("c"), "b"],
    [page(), "c"],
  ] as const) {
    await turns(() => zero?.asked.length === 1);
    expect(zero?.asked[0]?.body).toEqual(after === undefined ? {} : { after });
    zero?.answer(answer);
  }
  expect((await all).map(({ signature }) => signature)).toEqual(["a", "b", "c"]);
  pool.close();
});

it("without any process everything fails at once", async () => {
  const pool = vaultPool();
  expect([pool.connected, pool.each()]).toEqual([false, []]);
  await expect(pool.join(joining)).rejects.toMatchObject({ code: "vault/unreachable", retry: "later" });
});

it("a join under way at a process that is killed is asked of another at once; a statement waits for instance 0", async () => {
  const { pool, processes } = setUp(2);
  const [zero, one] = processes;
  const joined = pool.join(joining);
  await turns(() => zero?.asked.length === 1);
  const admitted = pool.admit({ payload: "", signature: "" });
  await turns(() => zero?.asked.length === 2);
  zero?.ours.destroy();
  await turns(() => one?.asked.length === 1);
  one?.answer("joined elsewhere");
  expect(await joined).toBe("joined elsewhere");
  const again = process();
  pool.attach(0, again.ours);
  await turns(() => again.asked.length === 1);
  again.answer("admitted");
  expect([await admitted, one?.asked.length]).toEqual(["admitted", 0]);
  pool.close();
});
