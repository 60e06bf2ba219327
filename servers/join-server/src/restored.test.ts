import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "@trefoil/store";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Audit } from "./audit.ts";
import { Registry } from "./devices/registry.ts";
import { takeInRestore } from "./restored.ts";
import { schema } from "./schema.ts";

const folder = mkdtempSync(join(tmpdir(), "restored-"));
const path = join(folder, "restored.json");
const open = () => openStore({ ...schema, role: "join-server", file: join(folder, "store.sqlite") });
let store: Awaited<ReturnType<typeof open>>;
let registry: Registry;
const apply = () => takeInRestore(folder, { store, registry, audit: new Audit(store, () => undefined) });
const device = (devEui: string) => ({
  ...({
    devEui,
    joinEui: "70b3d57ed0000001",
    macVersion: "1.0.4",
    provenance: "typed",
    blobs: { AppKey: "x" },
  } as const),
});
beforeAll(async () => {
  store = await open();
  registry = new Registry(store);
  await registry.add({ ...device("0000000000000001"), lastJoinNonce: 7 });
  await registry.add({ ...device("0000000000000002"), lastJoinNonce: 0xff_fff0 });
});
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});
const lastJoinNonce = (devEui: string) => registry.byDevEui(devEui)?.lastJoinNonce;

test("nothing was restored: nothing jumps", async () => {
  expect(await apply()).toBeUndefined();
  expect([lastJoinNonce("0000000000000001"), registry.joinNonceFloor]).toEqual([7, 0]);
});

test("every JoinNonce jumps once, as far as 24 bits go; devices made afterwards begin above (DESIGN §4)", async () => {
  writeFileSync(path, JSON.stringify({ jumpJoinNonce: 1_024, at: 5 }));
  expect(await apply()).toBe(1_024);
  expect(existsSync(path)).toBe(false);
  expect(["0000000000000001", "0000000000000002"].map(lastJoinNonce)).toEqual([1_031, 0xff_ffff]);
  await registry.add(device("0000000000000003"));
  expect(lastJoinNonce("0000000000000003")).toBe(1_024);
});

test("a process that ended before the file was gone does not jump again; another restore does, from where the last one came", async () => {
  writeFileSync(path, JSON.stringify({ jumpJoinNonce: 1_024, at: 5 }));
  await apply();
  expect(lastJoinNonce("0000000000000001")).toBe(1_031);
  writeFileSync(path, JSON.stringify({ jumpJoinNonce: 1_024, at: 6 }));
  await apply();
  expect([lastJoinNonce("0000000000000001"), registry.joinNonceFloor]).toEqual([2_055, 2_048]);
});

test.each(["", "{}", '{"jumpJoinNonce":0,"at":1}', '{"jumpJoinNonce":"1","at":1}', '{"jumpJoinNonce":-5,"at":1}'])(
  "a file that does not say how far (%s) is a fault that only a person can mend, and stays",
  async (text) => {
    writeFileSync(path, text);
    await expect(apply()).rejects.toMatchObject({ code: "store/restore-unreadable", retry: "never" });
    expect(existsSync(path)).toBe(true);
    rmSync(path);
  },
);
