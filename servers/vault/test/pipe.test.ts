/** The vault's end of the pipe: answers leave when the audit log has them, memory stays bounded, and nothing that comes makes it fail. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, duplexPair } from "node:stream";
import {
  encodePipeFrame,
  Key,
  makeKekSealedTo,
  makeOwnerKey,
  openOwnerKey,
  parseReceiver,
  readPipeFrames,
  sealKeys,
  signStatement,
  type VaultAnswer,
} from "@trefoil/custody";
import type { Statement } from "@trefoil/wire";
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import { type AuditLog, openAuditLog } from "../src/audit-log/writer.ts";
import { answer, type Operations, operations } from "../src/operations.ts";
import { answerPipe } from "../src/pipe.ts";
import { softwareToken } from "../src/software-token.ts";
import { initVault, openVaultFile } from "../src/vault-file.ts";
import { joinRequest, jsKey, rejoinRequest, un } from "./reference.ts";

const dataDir = mkdtempSync(join(tmpdir(), "trefoil-vault-pipe-"));
const owner = makeOwnerKey("test");
const ownerKey = openOwnerKey(owner.privateKeyPem, "test") ?? expect.unreachable();
const info = initVault({ dataDir, ownerPublicKey: owner.publicKey });
const token = softwareToken(openVaultFile(dataDir, undefined));
const realLog = openAuditLog({ dataDir, instance: 0, token });
const real = operations({ token, dataDir, log: realLog });
afterAll(async () => {
  await realLog.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** An audit log whose disk the test plays. */
function slowLog() {
  let written = () => {};
  const log = {
    last: 0,
    durable: 0,
    watch(onWritten: () => void) {
      written = onWritten;
    },
  };
  return {
    log: log as Pick<AuditLog, "last" | "durable" | "watch">,
    append() {
      log.last += 1;
    },
    reach(entry: number) {
      log.durable = entry;
      written();
    },
  };
}
function connected(all: Partial<Operations>, log: Pick<AuditLog, "last" | "durable" | "watch">) {
  const [ours, theirs] = duplexPair() as [Duplex, Duplex];
  const warned: string[] = [];
  const record = (...args: unknown[]) => void warned.push(String(args.at(-1)));
  answerPipe(ours, all as Operations, log, { error: record, warn: record } as never, () => {});
  const answers: VaultAnswer[] = [];
  readPipeFrames(theirs, (value) => void answers.push(value as VaultAnswer));
  return {
    ours,
    theirs,
    warned,
    answers,
    ask: (id: number, method: string, body: unknown = {}) => theirs.write(encodePipeFrame({ id, method, body })),
  };
}
const turns = async (count = 20) => {
  for (let i = 0; i < count; i += 1) await new Promise((done) => setImmediate(done));
};

it("an answer leaves when its entry is on the disk; one that made no entry leaves at once", async () => {
  const { log, append, reach } = slowLog();
  const all = {
    join() {
      append();
      return "joined" as never;
    },
    info: () => "info" as never,
  };
  const { ask, answers } = connected(all, log);
  ask(1, "join");
  ask(2, "join");
  ask(3, "info");
  await turns();
  expect(answers).toEqual([{ id: 3, answer: "info" }]);
  reach(1);
  await turns();
  expect(answers.map(({ id }) => id)).toEqual([3, 1]);
  reach(2);
  await turns();
  expect(answers.map(({ id }) => id)).toEqual([3, 1, 2]);
});

it("while too many answers wait, no more requests are read: what is asked beyond waits in the pipe", async () => {
  const { log, append, reach } = slowLog();
  let computed = 0;
  const all = {
    join() {
      append();
      computed += 1;
      return "joined" as never;
    },
  };
  const { ours, ask, answers } = connected(all, log);
  for (let id = 1; id <= 20_000; id += 1) ask(id, "join");
  await turns(200);
  expect(ours.isPaused()).toBe(true);
  expect(computed).toBeLessThan(5_000);
  while (answers.length < 20_000) {
    reach(computed);
    await turns();
  }
  expect([computed, answers.at(-1)?.id]).toEqual([20_000, 20_000]);
});

it("a vault that stops answers what it has computed, and reads no more", async () => {
  const { log, append, reach } = slowLog();
  let computed = 0;
  const join = () => {
    append();
    computed += 1;
    return "joined" as never;
  };
  const [ours, theirs] = duplexPair() as [Duplex, Duplex];
  const answers: unknown[] = [];
  readPipeFrames(theirs, (value) => void answers.push(value));
  const stop = answerPipe(ours, { join } as Partial<Operations> as Operations, log, {} as never, () => {});
  const ask = (id: number) => theirs.write(encodePipeFrame({ id, method: "join", body: {} }));
  ask(1);
  await turns();
  stop();
  ask(2);
  reach(1);
  await turns();
  expect([answers, computed]).toEqual([[{ id: 1, answer: "joined" }], 1]);
});

it("a join server that does not read its answers is not read either", async () => {
  const { log } = slowLog();
  let computed = 0;
  const large = "x".repeat(100_000);
  const info = () => {
    computed += 1;
    return large as never;
  };
  const [ours, theirs] = duplexPair() as [Duplex, Duplex];
  answerPipe(ours, { info } as Partial<Operations> as Operations, log, {} as never, () => {});
  for (let id = 1; id <= 5_000; id += 1) theirs.write(encodePipeFrame({ id, method: "info", body: {} }));
  await turns(200);
  expect(ours.isPaused()).toBe(true);
  expect(computed).toBeLessThan(2_500); // one chunk of the pipe's, not all
  theirs.resume();
  for (let i = 0; i < 100 && computed < 5_000; i += 1) await turns(100);
  expect(computed).toBe(5_000);
});

it("what is no request closes the pipe, and says so", async () => {
  for (const junk of [[], 1, "x", null, { id: "1", method: "info" }, { id: 1 }]) {
    const { theirs, ours, warned } = connected(real, realLog);
    theirs.write(encodePipeFrame(junk));
    await turns();
    expect([ours.destroyed, warned.length]).toEqual([true, 1]);
  }
});

/** Requests that a good join server would make, to be spoiled. */
const device = { devEui: "0011223344556677", joinEui: "70b3d57ed0000001" };
const root = "00112233445566778899aabbccddeeff";
const receiver = parseReceiver(info.publicKey) ?? expect.unreachable();
const sealed = sealKeys(receiver, [
  { key: new Key("AppKey", un(root)), ...device },
  { key: new Key("NwkKey", un(root)), ...device },
]);
const common = { version: 1, vault: info.fingerprint, issuedAt: 1 } as const;
const network = { netId: "000013" };
const statements = (
  [
    { ...common, kind: "kek", label: "ns", network, kek: makeKekSealedTo(receiver, "ns").sealed },
    { ...common, kind: "kek", label: "as", asId: "as", kek: makeKekSealedTo(receiver, "as").sealed },
    { ...common, kind: "assignment", devices: [device], network, asId: "as" },
    { ...common, kind: "export", devices: [device], to: info.publicKey, until: 8e15 },
  ] satisfies Statement[]
).map((statement) => signStatement(ownerKey, statement));
for (const signed of statements) expect(real.admit(signed)).toEqual({ result: "admitted" });
const imported = real.importRootKeys([{ ...device, macVersion: "1.1", sealed }])?.[0];
const blobs = imported?.result === "imported" ? imported.blobs : expect.unreachable();
const activation = {
  ...device,
  network,
  macVersion: "1.1",
  blobs,
  joinNonce: 1,
  devAddr: "26011bda",
  dlSettings: 0x80,
  rxDelay: 1,
};
const good: { readonly [method: string]: unknown } = {
  info: {},
  status: {},
  statements: {},
  admit: statements[0],
  importRootKeys: [{ ...device, macVersion: "1.1", sealed, origin: "file" }],
  join: { ...activation, joinRequest: joinRequest(root, device.joinEui, device.devEui, 1) },
  rejoin: {
    ...activation,
    rejoinRequest: rejoinRequest(1, jsKey(root, 6, device.devEui), device.joinEui, device.devEui, 1),
  },
  exportRootKeys: { to: info.fingerprint, device, blobs },
  usesSince: { instance: 0, entry: 0 },
  exposure: [{ ...device, blobs }],
};

it("the requests that are spoiled below are good as they are", () => {
  for (const [method, body] of Object.entries(good)) {
    const answered = JSON.stringify(answer(real, { id: 1, method, body }, () => {}));
    expect([method, answered]).not.toEqual([method, expect.stringMatching(/"refused"|"fault"/)]);
  }
});

type Path = readonly (string | number)[];
const pathsOf = (value: unknown, path: Path = []): Path[] =>
  typeof value === "object" && value !== null
    ? [path, ...Object.entries(value).flatMap(([name, inner]) => pathsOf(inner, [...path, name]))]
    : [path];
function replaced(value: unknown, path: Path, by: unknown): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return by;
  const record = value as { readonly [name: string]: unknown };
  const inner = replaced(record[name], rest, by);
  return Array.isArray(value) ? value.with(Number(name), inner) : { ...record, [name]: inner };
}
const junk = fc.oneof(
  fc.anything(),
  fc.jsonValue(),
  fc.constantFrom(
    "",
    "00",
    -1,
    0,
    2 ** 53,
    Number.NaN,
    null,
    undefined,
    [],
    {},
    "__proto__",
    "\ud800",
    "f".repeat(100_000),
  ),
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 16, maxLength: 64 }),
);
const spoiled = fc.constantFrom(...Object.keys(good)).chain((method) =>
  fc.array(fc.tuple(fc.constantFrom(...pathsOf(good[method])), junk), { minLength: 1, maxLength: 3 }).map((changes) => {
    let body: unknown = good[method];
    for (const [path, by] of changes) {
      try {
        body = replaced(body, path, by);
      } catch {
        // an earlier change took away what this one is about
      }
    }
    return { id: 1, method, body };
  }),
);
const swapped = fc.record({
  id: fc.integer(),
  method: fc.oneof(fc.constantFrom(...Object.keys(good), "constructor", "__proto__", "toString"), fc.string()),
  body: fc.oneof(fc.constantFrom(...Object.values(good)), junk),
});

it("whatever comes over the pipe is answered or refused: 20,000 requests, random and spoiled, and no exception", () => {
  const bugs: unknown[] = [];
  const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
  process.stdout.write(`fuzz of the vault's pipe: FUZZ_SEED=${seed}\n`);
  fc.assert(
    fc.property(
      fc.oneof(
        { weight: 8, arbitrary: spoiled },
        { weight: 3, arbitrary: swapped },
        { weight: 1, arbitrary: fc.anything() },
      ),
      (request) => {
        const answered = answer(real, request, (_, error) => bugs.push(error));
        if (answered !== undefined) encodePipeFrame(answered);
        return bugs.length === 0;
      },
    ),
    { numRuns: 20_000, seed },
  );
  expect(bugs).toEqual([]);
  expect(real.status({})).toMatchObject({ handles: 0, damaged: [] });
  const { join: joining } = good;
  expect(answer(real, { id: 1, method: "join", body: joining }, () => {})).toMatchObject({
    answer: { result: "joined" },
  });
}, 120_000);
