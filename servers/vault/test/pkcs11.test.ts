/** The contract of every engine on SoftHSM; that joins leave nothing in the token, in good and in bad ends; several processes on one token. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { template } from "../src/pkcs11/attributes.ts";
import { openPkcs11, type Pkcs11Options } from "../src/pkcs11/index.ts";
import { loadModule } from "../src/pkcs11/module.ts";
import { openDesk } from "../src/pkcs11/open.ts";
import { appKey, device, join10, join11, nwkKey, outcome, Realm, rejoin11, theirs } from "./contract/kit.ts";
import { vaultContract } from "./contract.ts";
import { makeVault, missingSoftHsm, type SoftHsm, softHsm } from "./pkcs11-softhsm.ts";
import { joinRequest } from "./reference.ts";

/** TREFOIL_MANY_JOINS=1: the hundred thousand of the requirement, in some minutes. */
const joins = process.env.TREFOIL_MANY_JOINS === "1" ? 100_000 : 2_000;

describe.skipIf(missingSoftHsm() !== undefined)("on SoftHSM", { timeout: 120_000 }, () => {
  let hsm: SoftHsm | undefined;
  /** Where each vault's keys are, by its folder: the contract makes two. */
  const made = new Map<string, Pkcs11Options>();
  afterAll(() => hsm?.remove());
  const engine = {
    name: "pkcs11",
    make(ownerPublicKey: string) {
      hsm ??= softHsm();
      const { info, dataDir, pkcs11 } = makeVault(hsm, ownerPublicKey);
      made.set(dataDir, pkcs11);
      return { dataDir, info, open: () => openPkcs11({ dataDir, pkcs11 }) };
    },
  } as const;

  vaultContract(engine);

  describe("a vault that works", () => {
    let realm: Realm;
    let pkcs11: Pkcs11Options;
    beforeAll(() => {
      realm = new Realm(engine);
      pkcs11 = made.get(realm.made.dataDir) ?? expect.unreachable();
      realm.makeRealm();
    });
    afterAll(() => realm.process.stop());

    /** How many objects the token and all sessions of this process have, past the vault. */
    const objects = (which = template({})) => {
      const module = loadModule(pkcs11.module, pkcs11.environment);
      module.ensureInitialised();
      const desk = openDesk(module, pkcs11);
      try {
        return desk.find(which).length;
      } finally {
        desk.close();
      }
    };
    const status = () => realm.ask.status({}) ?? expect.unreachable();

    it(`${joins} joins, rejoins and refusals leave as many objects as there were before`, {
      timeout: 3_600_000,
    }, () => {
      const blobs10 = realm.imported("1.0.4", { AppKey: appKey });
      const blobs11 = realm.imported("1.1", { AppKey: appKey, NwkKey: nwkKey });
      const moved = { AppKey: blobs11.NwkKey ?? "", NwkKey: blobs11.AppKey ?? "" };
      const wrongMic = joinRequest(nwkKey, device.joinEui, device.devEui, 258);
      const kinds = [
        ["joined", () => realm.ask.join(join10({ blobs: blobs10 }))],
        ["joined", () => realm.ask.join(join11({ blobs: blobs11 }))],
        ["joined", () => realm.ask.rejoin(rejoin11(0, { blobs: blobs11 }))],
        ["joined", () => realm.ask.rejoin(rejoin11(1, { blobs: blobs11 }))],
        ["join/mic-failed", () => realm.ask.join(join10({ blobs: blobs10, joinRequest: wrongMic }))],
        ["join/blob-refused", () => realm.ask.join(join11({ blobs: moved }))],
        ["join/not-assigned", () => realm.ask.join(join10({ blobs: blobs10, network: theirs }))],
      ] as const;
      for (const [expected, ask] of kinds) expect(outcome(ask())).toBe(expected); // KEKs are open from here on
      const before = objects();
      let good = 0;
      for (let i = 0; good < joins; i += 1) {
        const [expected, ask] = kinds[i % kinds.length] as (typeof kinds)[number];
        const answer = outcome(ask());
        if (answer !== expected) expect.unreachable(`${answer} instead of ${expected} after ${i}`);
        if (answer === "joined") good += 1;
      }
      expect(objects()).toBe(before);
      expect(status()).toMatchObject({ handles: 0, damaged: [] });
      expect(status().fault).toBeUndefined();
    });

    it("the module begins anew between two joins: none is lost, and KEKs and blobs go on", async () => {
      const often = new Realm({
        name: "pkcs11",
        make(ownerPublicKey) {
          const { info, dataDir, pkcs11 } = makeVault(hsm ?? expect.unreachable(), ownerPublicKey);
          return { dataDir, info, open: () => openPkcs11({ dataDir, pkcs11, recycleAfterObjects: 100 }) };
        },
      });
      often.makeRealm();
      const blobs = often.imported("1.1", { AppKey: appKey, NwkKey: nwkKey });
      const module = loadModule(pkcs11.module);
      const first = often.ask.join(join11({ blobs }));
      const generation = module.generation;
      for (let i = 0; i < 100; i += 1) {
        const again = often.ask.join(join11({ blobs }));
        if (first?.result !== "joined" || again?.result !== "joined") return expect.unreachable(outcome(again));
        expect({ ...again, use: 0 }).toEqual({ ...first, use: 0 });
      }
      expect(module.generation - generation).toBeGreaterThan(5);
      expect(often.ask.status({})).toMatchObject({ handles: 0, joins: 101 });
      await often.process.stop();
    });

    it("the token holds three keys and no more, whatever was imported, stated and joined", () => {
      expect(objects(template({ TOKEN: true }))).toBe(3);
    });

    it("several processes work on one token at the same time", async () => {
      const { dataDir } = realm.made;
      const order = { engine: "pkcs11", dataDir, pkcs11, macVersion: "1.1", seconds: 1 };
      const loops = [];
      for (let i = 0; i < 2; i += 1) {
        const started = loop(order); // one after the other, as the supervisor starts the vault's processes
        expect(await started.line()).toBe("ready");
        loops.push(started);
      }
      for (const { go } of loops) go();
      const blobs = realm.imported("1.0.4", { AppKey: appKey });
      for (let i = 0; i < 200; i += 1) expect(outcome(realm.ask.join(join10({ blobs })))).toBe("joined");
      for (const { line } of loops) expect(JSON.parse(await line()).joins).toBeGreaterThan(0);
      expect(status().fault).toBeUndefined();
    });
  });
});

/** A process with this vault open that makes the calls of joins, on its own. */
function loop(order: object) {
  const program = fileURLToPath(new URL("../src/pkcs11/bare.ts", import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.write(`${JSON.stringify(order)}\n`);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    line: async (): Promise<string> => (await lines.next()).value ?? "ended",
    go: () => child.stdin.write("go\n"),
  };
}
