/** The owner's statements: which stand, what stands after which, and across processes and restarts. */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RootKeyBlobs } from "@trefoil/custody";
import type { Statement } from "@trefoil/wire";
import { beforeEach, expect, it } from "vitest";
import { sessionKey } from "../reference.ts";
import { appKey, asId, device, type Engine, everything, join10, joined, ours, Realm, theirs } from "./kit.ts";

export function statementRules(engine: Engine): void {
  let realm: Realm;
  let blobs: RootKeyBlobs;
  beforeEach(() => {
    realm = new Realm(engine);
    realm.makeRealm();
    blobs = realm.imported("1.0.4", { AppKey: appKey });
    return () => realm.process.stop();
  });
  const wrappedUnder = (change = {}) => {
    const { keys } = joined(realm.ask.join(join10({ blobs, ...change })));
    return "nwkSKey" in keys ? keys.nwkSKey.kekLabel : "";
  };
  const standing = () => (realm.ask.statements({}) ?? []).map(({ payload }) => JSON.parse(payload) as Statement);
  const file = () => join(realm.made.dataDir, "statements.jsonl");
  /** Why the vault does not open. */
  const refusal = () => refusalWith(() => {});
  const refusalWith = async (mend: () => void) => {
    await realm.process.stop();
    try {
      realm.start(0);
    } catch (error) {
      return (error as { code?: string }).code;
    } finally {
      writeFileSync(file(), kept);
      mend();
      realm.process = realm.start(0);
    }
    return "it opens";
  };
  let kept = "";

  it("a replaced KEK wraps from then on, for its server alone", () => {
    expect(realm.say(realm.kek("ns/000013/2", { network: ours }))).toBe("admitted");
    const { keys } = joined(realm.ask.join(join10({ blobs })));
    expect(realm.opened("ns/000013/2", "nwkSKey" in keys ? keys.nwkSKey : undefined)).toBe(
      sessionKey(appKey, 1, 0x030201, "000013", 258),
    );
    expect(keys.appSKey.kekLabel).toBe("as/trefoil-as");
  });

  it("with usedFrom the former KEK stays in use until then, also after a restart", async () => {
    const usedFrom = realm.now + 60_000;
    expect(realm.say(realm.kek("ns/000013/2", { network: ours }, { usedFrom }))).toBe("admitted");
    expect(wrappedUnder()).toBe("ns/000013");
    await realm.restart();
    expect(wrappedUnder()).toBe("ns/000013");
    realm.now = usedFrom;
    expect(wrappedUnder()).toBe("ns/000013/2");
    await realm.restart();
    expect(wrappedUnder()).toBe("ns/000013/2");
  });

  it("a KEK that was replaced before its time never comes into use, also not by a restart", async () => {
    const usedFrom = realm.now + 60_000;
    expect(realm.say(realm.kek("ns/lost", { network: ours }, { usedFrom }))).toBe("admitted");
    expect(realm.say(realm.kek("ns/000013/3", { network: ours }, { usedFrom: usedFrom + 60_000 }))).toBe("admitted");
    realm.now = usedFrom + 1;
    await realm.restart();
    expect(wrappedUnder()).toBe("ns/000013");
  });

  it("a later KEK replaces one that is not in use yet", () => {
    const usedFrom = realm.now + 60_000;
    expect(realm.say(realm.kek("ns/lost", { network: ours }, { usedFrom }))).toBe("admitted");
    expect(realm.say(realm.kek("ns/000013/3", { network: ours }, { usedFrom: usedFrom + 1 }))).toBe("admitted");
    expect(wrappedUnder()).toBe("ns/000013");
    realm.now = usedFrom + 1;
    expect(wrappedUnder()).toBe("ns/000013/3");
    expect(standing().flatMap((one) => (one.kind === "kek" ? one.label : []))).not.toContain("ns/lost");
  });

  it("two networks of one NetID are two: each NSID has its own KEK and devices", () => {
    const [first, second] = ["0000000000000001", "0000000000000002"].map((nsId) => ({ netId: "000000", nsId }));
    for (const [label, network] of [
      ["ns/1", first],
      ["ns/2", second],
    ] as const)
      expect(realm.say(realm.kek(label, { network: network as typeof ours }))).toBe("admitted");
    expect(realm.say({ kind: "assignment", devices: [device], network: first as typeof ours, asId })).toBe("admitted");
    expect(wrappedUnder({ network: first })).toBe("ns/1");
    for (const network of [second, { netId: "000000" }, ours])
      expect(realm.ask.join(join10({ blobs, network: network as typeof ours }))).toEqual({
        result: "refused",
        code: "join/not-assigned",
      });
  });

  it("a device moves to another network by a later assignment alone: the next join is the new network's", () => {
    expect(wrappedUnder()).toBe("ns/000013");
    expect(realm.say({ kind: "assignment", devices: [device], network: theirs, asId: "theirs-as" })).toBe("admitted");
    expect(realm.ask.join(join10({ blobs }))).toEqual({ result: "refused", code: "join/not-assigned" });
    expect(wrappedUnder({ network: theirs })).toBe("ns/600021");
    expect(realm.say({ kind: "assignment", joinEuis: everything, network: ours, asId })).toBe("admitted");
    expect(wrappedUnder({ network: theirs })).toBe("ns/600021"); // its own outranks the range's, whatever came later
  });

  it("the present statement may be repeated, an older one does not come back", () => {
    const [first, second] = [
      realm.sign(realm.kek("ns/a", { network: theirs })),
      realm.sign(realm.kek("ns/b", { network: theirs })),
    ];
    expect([first, second, first, second].map((signed) => realm.admit(signed))).toEqual([
      "admitted",
      "admitted",
      "statement/older",
      "admitted",
    ]);
    const sameTime = { issuedAt: (JSON.parse(second.payload) as Statement).issuedAt };
    expect(realm.say(realm.kek("ns/c", { network: theirs }), sameTime)).toBe("statement/older");
  });

  it("`statements` has all that stand and no others, page by page", () => {
    const peer = (name: string) => ({ kind: "peer", name, certificate: "0f".repeat(32), network: theirs }) as const;
    for (const name of ["first", "second"]) expect(realm.say(peer(name))).toBe("admitted");
    const all = realm.ask.statements({}) ?? [];
    expect(standing().flatMap((one) => (one.kind === "peer" ? one.name : []))).toEqual(["second"]);
    expect(all).toHaveLength(6);
    expect(realm.ask.statements({ after: all.at(-1)?.signature })).toEqual([]);
  });

  it("another process of the vault reads what the first has taken in, and takes nothing in itself", async () => {
    const second = realm.start(1);
    const asks = () => second.ask.join(join10({ blobs, network: theirs }));
    expect(asks()).toEqual({ result: "refused", code: "join/not-assigned" });
    expect(realm.say({ kind: "assignment", devices: [device], network: theirs, asId: "theirs-as" })).toBe("admitted");
    const answer = joined(asks());
    expect(answer.use.instance).toBe(1);
    expect(answer.keys.appSKey.kekLabel).toBe("as/theirs");
    expect(() => second.ask.admit(realm.sign(realm.kek("x", { network: ours })))).toThrow(/first process/);
    await second.stop();
  });

  it("a line that a power cut left half is dropped; its statement was never admitted", async () => {
    await realm.process.stop();
    kept = readFileSync(file(), "utf8");
    const line = JSON.stringify(realm.sign(realm.kek("ns/half", { network: ours })));
    appendFileSync(file(), line.slice(0, -10));
    realm.process = realm.start(0);
    expect(wrappedUnder()).toBe("ns/000013");
    expect(realm.say(realm.kek("ns/whole", { network: ours }))).toBe("admitted");
    await realm.restart();
    expect(wrappedUnder()).toBe("ns/whole");
    expect(readFileSync(file(), "utf8").split("\n")).toHaveLength(7);
  });

  it("whoever writes the folder takes nothing back: without its last line, or any other, the vault does not open", async () => {
    expect(realm.say({ kind: "assignment", devices: [device], network: theirs, asId: "theirs-as" })).toBe("admitted");
    expect(realm.say({ kind: "assignment", devices: [device] })).toBe("admitted");
    kept = readFileSync(file(), "utf8");
    const lines = kept.split("\n").slice(0, -1);
    const without = (at: number) => `${lines.toSpliced(at, 1).join("\n")}\n`;
    for (const text of ["", without(lines.length - 1), without(0), without(3)]) {
      writeFileSync(file(), text);
      expect(await refusal()).toBe("vault/statements-damaged");
    }
    const tally = join(realm.made.dataDir, "statements.tally.json");
    const counted = readFileSync(tally, "utf8");
    for (const count of [lines.length - 1, lines.length]) {
      writeFileSync(file(), without(lines.length - 1));
      writeFileSync(tally, JSON.stringify({ ...JSON.parse(counted), count }));
      const why = await refusalWith(() => writeFileSync(tally, counted));
      expect(why).toBe("vault/statements-damaged");
    }
  });

  it("a statement from far in the future would lock its subject: it is refused; a clock that is a little ahead is not", () => {
    const peer = { kind: "peer", name: "p", certificate: "22".repeat(32), network: theirs } as const;
    const day = 24 * 3_600_000;
    expect(realm.say(peer, { issuedAt: realm.now + 2 * day })).toBe("statement/from-the-future");
    expect(realm.say(peer, { issuedAt: realm.now + 3_600_000 })).toBe("admitted");
  });

  it("whoever writes the file says nothing: a damaged, foreign or older line, and the vault does not open", async () => {
    const signed = realm.sign(realm.kek("ns/old", { network: ours }));
    expect(realm.say(realm.kek("ns/new", { network: ours }))).toBe("admitted");
    kept = readFileSync(file(), "utf8");
    const foreign = realm.sign(realm.kek("ns/x", { network: ours }), { vault: "00".repeat(32) });
    const unsigned = { payload: signed.payload.replace("ns/old", "ns/mine"), signature: signed.signature };
    for (const line of [
      "junk",
      "{}",
      JSON.stringify(foreign),
      JSON.stringify(unsigned),
      JSON.stringify(signed),
      kept.split("\n")[0],
    ]) {
      writeFileSync(file(), `${kept}${line}\n`);
      expect([line?.slice(0, 40), await refusal()]).toEqual([line?.slice(0, 40), "vault/statements-damaged"]);
    }
  });
}
