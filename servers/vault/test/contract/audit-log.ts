/** Every use of a root or master key is in the log, durable and signed, for each engine. How it is written: test/audit-log.test.ts. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { auditLine, hashOfLine, linesOf, parseAuditEntry, type RootKeyBlobs } from "@trefoil/custody";
import { Fault } from "@trefoil/service";
import { beforeAll, expect, it, vi } from "vitest";
import { joinRequest } from "../reference.ts";
import {
  appKey,
  asId,
  device,
  type Engine,
  join10,
  join11,
  joined,
  nwkKey,
  other,
  ours,
  Realm,
  rejoin11,
  theirs,
} from "./kit.ts";

export function auditLogRules(engine: Engine): void {
  let realm: Realm;
  let blobs10: RootKeyBlobs;
  let blobs11: RootKeyBlobs;
  beforeAll(() => {
    realm = new Realm(engine);
    realm.makeRealm();
    blobs10 = realm.imported("1.0.4", { AppKey: appKey });
    blobs11 = realm.imported("1.1", { AppKey: appKey, NwkKey: nwkKey });
    return () => realm.process.stop();
  });
  const whileDoing = async (work: () => void) => {
    const before = realm.process.log.last;
    work();
    await realm.restart();
    const { entries, report } = await realm.auditLog();
    const plumbing = ["start", "self-test", "stop", "head"];
    return { report, entries: entries.filter(({ entry, event }) => entry > before && !plumbing.includes(event)) };
  };

  it("joins, rejoins and refusals by MIC or blob are entries; what touched no key is none", async () => {
    const wrong = joinRequest(nwkKey, device.joinEui, device.devEui, 5);
    const { entries, report } = await whileDoing(() => {
      realm.ask.join(join10({ blobs: blobs10 }));
      realm.ask.rejoin(rejoin11(1, { blobs: blobs11 }));
      realm.ask.rejoin(rejoin11(2, { blobs: blobs11 }));
      realm.ask.join(join10({ blobs: blobs10, joinRequest: wrong }));
      realm.ask.join(
        join10({ ...other, blobs: blobs10, joinRequest: joinRequest(appKey, other.joinEui, other.devEui, 6) }),
      );
      realm.ask.join(join10({ blobs: blobs10, network: theirs }));
      realm.ask.status({});
    });
    const common = { event: "join", ...device, joinNonce: 0x030201, network: "000013", asId };
    expect(entries).toMatchObject([
      { ...common, result: "joined", request: "join", nonce: 258, provenance: "unknown" },
      { ...common, result: "joined", request: 1, nonce: 7, joinNonce: 0x030202 },
      { ...common, result: "joined", request: 2, nonce: 7, joinNonce: 0x030202 },
      { ...common, result: "join/mic-failed", nonce: 5 },
      { ...common, ...other, result: "join/blob-refused", nonce: 6 },
    ]);
    expect(report.findings).toEqual([]);
  });

  it("an engine that fails in the middle of a join is an entry too: the root key was in use", async () => {
    const { entries } = await whileDoing(() => {
      const { token } = realm.process;
      const wrap = vi.spyOn(token, "wrap").mockImplementation(() => {
        throw new Fault("token/test", "the token is gone");
      });
      expect(() => realm.ask.join(join10({ blobs: blobs10 }))).toThrow(/the token is gone/);
      wrap.mockRestore();
      expect(realm.ask.status({})?.handles).toBe(0);
    });
    expect(entries).toMatchObject([{ event: "join", result: "token/test", ...device, nonce: 258 }]);
  });

  it("imports, statements and exports are entries, refused ones too", async () => {
    const { entries } = await whileDoing(() => {
      realm.imported("1.0.4", { AppKey: appKey }, { origin: "file" });
      realm.import({ ...other, macVersion: "1.0.4", sealed: realm.sealed({ AppKey: appKey }) });
      realm.say(realm.kek("ns/2", { network: ours }));
      realm.admit({ payload: "{}", signature: Buffer.alloc(64).toString("base64") });
      realm.ask.exportRootKeys({ to: "00".repeat(32), device, blobs: blobs10 });
    });
    expect(entries).toMatchObject([
      { event: "import", result: "imported", ...device, roles: ["AppKey"], provenance: "file" },
      { event: "import", result: "import/other-device", ...other },
      { event: "statement", result: "admitted", kind: "kek", subject: "network 000013" },
      { event: "statement", result: "statement/not-signed-by-owner" },
      { event: "export", result: "export/not-stated", ...device, to: "00".repeat(32) },
    ]);
  });

  it("usesSince has the nonces of answered joins and rejoins after an entry: the anchor of the join server's store", async () => {
    const first = joined(realm.ask.join(join11({ blobs: blobs11 }))).use;
    joined(realm.ask.rejoin(rejoin11(0, { blobs: blobs11 })));
    realm.ask.join(join11({ blobs: blobs11, joinRequest: joinRequest(appKey, device.joinEui, device.devEui, 1) }));
    await realm.restart();
    const { entry } = joined(realm.ask.join(join10({ blobs: blobs10 }))).use;
    await realm.restart();
    const since = (entry: number, hash?: string) =>
      realm.ask.usesSince({ instance: 0, entry, ...(hash === undefined ? {} : { hash }) }) ?? expect.unreachable();
    const all = since(0).uses;
    expect(all.map((use) => use.entry)).toEqual([...all.map((use) => use.entry)].sort((a, b) => a - b));
    expect(since(first.entry, first.hash).uses).toMatchObject([
      { instance: 0, ...device, request: 0, nonce: 7, joinNonce: 0x030202 },
      { instance: 0, entry, ...device, request: "join", nonce: 258, joinNonce: 0x030201 },
    ]);
    expect(since(entry)).toMatchObject({ isKnown: true, uses: [] });
    const { entries } = await whileDoing(() => {
      expect(since(1_000_000)).toMatchObject({ isKnown: false, uses: [] });
      expect(since(first.entry, "00".repeat(32))).toMatchObject({ isKnown: false, uses: [] });
    });
    expect(entries).toMatchObject([{ event: "behind", chain: 0, known: 1_000_000 }]);
  });

  it("a log that somebody else wrote, with hashes that are right, is not gone on from", async () => {
    joined(realm.ask.join(join10({ blobs: blobs10 })));
    await realm.process.stop();
    const folder = join(realm.made.dataDir, "audit-log");
    const name = readdirSync(folder)
      .sort()
      .findLast((one) => one.startsWith("0-"));
    const path = join(folder, name ?? "");
    const kept = readFileSync(path);
    let previous: string | undefined;
    const forged = linesOf(kept).lines.map((line) => {
      const { entry, at, previous: former, ...event } = parseAuditEntry(line) ?? expect.unreachable();
      const text = auditLine(entry, at, previous ?? former, "nonce" in event ? { ...event, nonce: 9_999 } : event);
      previous = hashOfLine(text);
      return `${text}\n`;
    });
    expect(forged.join("")).not.toBe(kept.toString("utf8"));
    writeFileSync(path, forged.join(""));
    expect(() => realm.start(0)).toThrow(expect.objectContaining({ code: "vault/audit-log-damaged" }));
    writeFileSync(path, kept);
    realm.process = realm.start(0);
  });

  it("a stopped vault's log is signed to its last entry, and has no key in it", async () => {
    await realm.process.stop();
    const { report, entries } = await realm.auditLog();
    expect(report).toMatchObject({ result: "sound", first: 1, last: report.signedTo, findings: [], cuts: [] });
    const text = JSON.stringify(entries);
    for (const secret of [appKey, nwkKey]) expect(text).not.toContain(secret);
    realm.process = realm.start(0);
  });
}
