/** The real handler with the real registry on a store of its own, statements, four peers, and a vault in this process. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeKey } from "@trefoil/custody";
import { openStore } from "@trefoil/store";
import type { Statement } from "@trefoil/wire";
import { Audit } from "../src/audit.ts";
import { Registry } from "../src/devices/registry.ts";
import { interop } from "../src/interop/answer.ts";
import { limiter } from "../src/interop/limits.ts";
import type { JoinPorts } from "../src/join/handle.ts";
import type { Outcome } from "../src/outcomes.ts";
import { schema } from "../src/schema.ts";
import { Standing } from "../src/standing.ts";
import { Turns } from "../src/turns.ts";
import { fakeVault } from "./fake-vault.ts";
import { joinEuis, netIds, type TestDevice } from "./frames.ts";

const fingerprints = {
  ours: "a".repeat(64),
  theirs: "b".repeat(64),
  as: "c".repeat(64),
  later: "d".repeat(64),
  otherAs: "e".repeat(64),
} as const;
export type From = keyof typeof fingerprints;

const range = (joinEui: string) => ({ first: `${joinEui.slice(0, 13)}000`, last: `${joinEui.slice(0, 13)}fff` });
const common = { version: 1, vault: "00".repeat(32), issuedAt: 1 } as const;
export const statements: readonly Statement[] = [
  { ...common, kind: "peer", name: "ours", certificate: fingerprints.ours, network: { netId: netIds.ours } },
  { ...common, kind: "peer", name: "theirs", certificate: fingerprints.theirs, network: { netId: netIds.theirs } },
  { ...common, kind: "peer", name: "as", certificate: fingerprints.as, asId: "trefoil-as" },
  { ...common, kind: "peer", name: "other as", certificate: fingerprints.otherAs, asId: "their-as" },
  {
    ...{ ...common, kind: "peer", name: "later", certificate: fingerprints.later, network: { netId: netIds.ours } },
    ...{ url: "https://127.0.0.1:1/", appSKey: "app-s-key-req" },
  },
  {
    ...common,
    kind: "assignment",
    joinEuis: range(joinEuis.ours),
    network: { netId: netIds.ours },
    asId: "trefoil-as",
  },
  {
    ...common,
    kind: "assignment",
    joinEuis: range(joinEuis.theirs),
    network: { netId: netIds.theirs },
    asId: "their-as",
  },
];
const noLimits = { devicePerMinute: 0, joinEuiPerSecond: 0, peerPerSecond: 0 };

export async function makeHandler(
  devices: readonly TestDevice[],
  { limits = noLimits, change = {} }: { limits?: typeof noLimits; change?: Partial<JoinPorts> } = {},
) {
  const folder = mkdtempSync(join(tmpdir(), "trefoil-js-"));
  const store = await openStore({ ...schema, file: join(folder, "store.sqlite"), role: "join-server" });
  const registry = new Registry(store);
  const faults: unknown[] = [];
  const audit = new Audit(store, (fault) => faults.push(fault));
  const standing = new Standing();
  for (const statement of statements) standing.take(statement);
  const keks = {
    network: { label: "ns/000013", key: makeKey("KEK", 32) },
    application: { label: "as/trefoil-as", key: makeKey("KEK", 32) },
  };
  const vault = fakeVault(devices, keks);
  for (const { devEui, joinEui, macVersion } of devices)
    await registry.add({ devEui, joinEui, macVersion, provenance: "unknown", blobs: { AppKey: "opaque" } });
  const seen: Outcome[] = [];
  const posted: string[] = [];
  const { handle, tooLarge } = interop(
    {
      ...{ registry, audit, vault, standing: () => standing, limits: limiter(limits, () => 0), turns: new Turns() },
      ...{ onFault: (fault) => faults.push(fault), postLater: (_, json) => posted.push(json) },
      ...change,
    },
    ({ outcome }) => void seen.push(outcome),
  );
  const peerOf = (from: From) => standing.peerOf(fingerprints[from]) ?? fail();
  return {
    ...{ registry, audit, standing, vault, keks, seen, posted, faults, store, handle },
    tooLarge: (from: From) => tooLarge(peerOf(from)),
    post: (from: From, body: unknown) =>
      handle({
        ...{ method: "POST", path: "/", headers: {}, peer: peerOf(from) },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    files: () => Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name)))),
    async end() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
export type Handler = Awaited<ReturnType<typeof makeHandler>>;

const fail = (): never => {
  throw new TypeError("no such peer");
};

/** ResultCode and Description of an answer. */
export function resultOf({ json = "null" }: { readonly json?: string }): string {
  const { Result } = JSON.parse(json) as { Result: { ResultCode: string; Description?: string } };
  return [Result.ResultCode, Result.Description].filter(Boolean).join(" ");
}
