/**
 * The forbidden cells of docs/authority.md. Each plays one party with all the secrets that it really has:
 *
 * join server: the pipe, every blob, every sealed key, every statement that passed it (also withdrawn ones), every join-request;
 * network server: SNwkSIntKey and the like of its sessions, its KEK, its certificate; application server: its KEK;
 * peer: a standing statement about it, and its KEK; console: what it seals itself; disk thief: all files of the vault but not its process.
 */
import { generateKeyPairSync } from "node:crypto";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Key,
  makeKekSealedTo,
  makeOpener,
  makeOwnerKey,
  makeSealingKeyPair,
  parseReceiver,
  type RootKeyBlobs,
  sealKeys,
  signProvision,
  type VaultJoin,
} from "@trefoil/custody";
import { provenances, type SealedKeys, type Statement } from "@trefoil/wire";
import { beforeAll, describe, expect, it } from "vitest";
import { joinRequest, rejoinRequest, sessionKey, un } from "../reference.ts";
import {
  appKey,
  asId,
  device,
  type Engine,
  everything,
  join10,
  join11,
  joined,
  nwkKey,
  other,
  ours,
  outcome,
  Realm,
  rejoin11,
  sNwkSIntKey,
  stranger,
  theirs,
} from "./kit.ts";

const master = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const zero = { devEui: "0000000000000000", joinEui: "0000000000000000" };
const theirDevice = { devEui: "00112233445566aa", joinEui: device.joinEui };

export function authorityRules(engine: Engine): void {
  let realm: Realm;
  /** A second vault of the same owner. */
  let second: Realm;
  let blobs10: RootKeyBlobs;
  let blobs11: RootKeyBlobs;
  let theirBlobs: RootKeyBlobs;
  const one10 = (change: Partial<VaultJoin> = {}) => join10({ blobs: blobs10, ...change });
  const one11 = (change: Partial<VaultJoin> = {}) => join11({ blobs: blobs11, ...change });
  const refusedJoin = (request: VaultJoin) => outcome(realm.ask.join(request));

  beforeAll(() => {
    realm = new Realm(engine);
    realm.makeRealm();
    second = new Realm(engine, 1);
    blobs10 = realm.imported("1.0.4", { AppKey: appKey });
    blobs11 = realm.imported("1.1", { AppKey: appKey, NwkKey: nwkKey });
    theirBlobs = realm.imported(
      "1.0.4",
      { AppKey: nwkKey },
      { ...theirDevice, sealed: realm.sealed({ AppKey: nwkKey }, theirDevice) },
    );
    expect(realm.say({ kind: "assignment", devices: [theirDevice], network: theirs, asId: "theirs-as" })).toBe(
      "admitted",
    );
    return async () => {
      await realm.process.stop();
      await second.process.stop();
    };
  });

  describe("join server: statements of its own", () => {
    const everyKind = (): [string, Parameters<Realm["say"]>[0]][] => {
      const spki = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "der" }).toString("base64");
      return [
        ["a KEK", realm.kek("mine", { network: ours })],
        ["a KEK for a new network", realm.kek("mine", { network: { netId: "000099" } })],
        ["a peer", { kind: "peer", name: "me", certificate: "00".repeat(32), network: ours }],
        ["an assignment", { kind: "assignment", devices: [device], network: theirs, asId: "theirs-as" }],
        ["an assignment of a range", { kind: "assignment", joinEuis: everything, network: theirs, asId }],
        [
          "a master key",
          {
            kind: "master-key",
            joinEuis: everything,
            kdf: "LORA-KDF-1",
            epoch: 1,
            extra: "",
            macVersion: "1.0.4",
            key: realm.sealed({ MasterKey: master }, zero),
          },
        ],
        ["a provisioner", { kind: "provisioner", name: "me", publicKey: spki, joinEuis: everything }],
        ["an export", { kind: "export", devices: [device], to: makeSealingKeyPair().published.publicKey, until: 8e15 }],
      ];
    };

    it("none is admitted with another's signature, and nothing has changed afterwards", () => {
      const before = realm.ask.statements({});
      for (const [kind, statement] of everyKind())
        expect([kind, realm.say(statement, { by: stranger })]).toEqual([kind, "statement/not-signed-by-owner"]);
      expect(realm.ask.statements({})).toEqual(before);
    });

    it("the owner's, with any field exchanged, is not admitted", () => {
      for (const [kind, statement] of everyKind()) {
        const { payload, signature } = realm.sign(statement);
        const said = JSON.parse(payload) as Statement;
        for (const change of Object.entries({
          label: "x",
          network: { netId: "0000aa" },
          asId: "x",
          issuedAt: 9e12,
          devices: [other],
          to: "x",
          revoked: true,
          usedFrom: 1,
        })) {
          const changed = JSON.stringify({ ...said, [change[0]]: change[1] });
          expect([kind, change[0], realm.admit({ payload: changed, signature })]).toEqual([
            kind,
            change[0],
            "statement/not-signed-by-owner",
          ]);
        }
      }
    });

    it("the owner's for another vault is not admitted: neither by name, nor what is sealed to it", () => {
      for (const [kind, statement] of everyKind())
        expect([kind, realm.say(statement, { vault: second.info.fingerprint })]).toEqual([
          kind,
          "statement/other-vault",
        ]);
      const { sealed } = makeKekSealedTo(second.receiver, "ns/elsewhere");
      expect(realm.say({ kind: "kek", label: "ns/elsewhere", network: ours, kek: sealed })).toBe(
        "sealed/not-for-this-receiver",
      );
    });

    it("an older one does not come back, of any kind: a lost KEK, a former network, a revoked peer or provisioner, a former master key", () => {
      const issuedAt = 1_500_000_000_000;
      const elsewhere = { first: "0000000000000001", last: "0000000000000001" };
      const key = realm.sealed({ MasterKey: master }, zero);
      const masterKey = (epoch: number) =>
        ({
          kind: "master-key",
          joinEuis: elsewhere,
          kdf: "LORA-KDF-1",
          epoch,
          extra: "",
          macVersion: "1.1",
          key,
        }) as const;
      const publicKey = generateKeyPairSync("ed25519")
        .publicKey.export({ type: "spki", format: "der" })
        .toString("base64");
      const provisioner = { kind: "provisioner", name: "m", publicKey, joinEuis: elsewhere } as const;
      for (const [first, then] of [
        [realm.kek("ns/lost", { network: { netId: "000042" } }), realm.kek("ns/new", { network: { netId: "000042" } })],
        [
          { kind: "peer", name: "p", certificate: "11".repeat(32), network: theirs },
          { kind: "peer", name: "p", certificate: "11".repeat(32), network: theirs, revoked: true },
        ],
        [
          { kind: "assignment", devices: [other], network: theirs, asId: "theirs-as" },
          { kind: "assignment", devices: [other], network: ours, asId },
        ],
        [masterKey(1), masterKey(2)],
        [provisioner, { ...provisioner, revoked: true }],
      ] as Parameters<Realm["say"]>[0][][]) {
        const old = realm.sign(first as Parameters<Realm["say"]>[0], { issuedAt });
        expect(realm.admit(old)).toBe("admitted");
        expect(realm.say(then as Parameters<Realm["say"]>[0], { issuedAt: issuedAt + 1 })).toBe("admitted");
        expect(realm.admit(old)).toBe("statement/older");
      }
    });

    it("another's label is not taken: TS002 names KEKs by their labels", () => {
      expect(realm.say(realm.kek("as/trefoil-as", { network: { netId: "000031" } }))).toBe("statement/label-taken");
      expect(realm.say(realm.kek("ns/000013", { network: ours }))).toBe("statement/label-taken");
    });
  });

  describe("join server: keys for whom they are not", () => {
    it("envelopes for a network that the device is not assigned to, however well known, are refused", () => {
      expect(refusedJoin(one10({ network: theirs }))).toBe("join/not-assigned");
      expect(refusedJoin(one10({ network: { ...ours, nsId: "0000000000000001" } }))).toBe("join/not-assigned");
      const request = joinRequest(nwkKey, theirDevice.joinEui, theirDevice.devEui, 1);
      const theirJoin = one10({ ...theirDevice, blobs: theirBlobs, joinRequest: request });
      expect(refusedJoin(theirJoin)).toBe("join/not-assigned");
      const { keys } = joined(realm.ask.join({ ...theirJoin, network: theirs }));
      expect(keys.appSKey.kekLabel).toBe("as/theirs"); // whoever asks: the AS-ID is the statement's
    });

    it("a kept sealed key, imported again, serves no other network: the old hole of assignment by import", () => {
      const sealed = realm.sealed({ AppKey: appKey });
      const again = realm.import({
        ...device,
        macVersion: "1.0.4",
        sealed,
        network: theirs,
        netId: theirs.netId,
        asId: "theirs-as",
      });
      const blobs = again.result === "imported" ? again.blobs : expect.unreachable();
      expect(refusedJoin(one10({ blobs, network: theirs }))).toBe("join/not-assigned");
      expect(joined(realm.ask.join(one10({ blobs }))).asId).toBe(asId);
    });

    it("a device that is nobody's gets keys for nobody", () => {
      const nobodys = { devEui: "00112233445566bb", joinEui: device.joinEui };
      expect(realm.say({ kind: "assignment", devices: [nobodys] })).toBe("admitted");
      const blobs = realm.imported("1.0.4", {}, { ...nobodys, sealed: realm.sealed({ AppKey: appKey }, nobodys) });
      const request = one10({
        ...nobodys,
        blobs,
        joinRequest: joinRequest(appKey, nobodys.joinEui, nobodys.devEui, 1),
      });
      for (const network of [ours, theirs]) expect(refusedJoin({ ...request, network })).toBe("join/not-assigned");
    });

    it.each([
      ["a network", "join/no-network-kek", { network: { netId: "000077" }, asId }],
      ["an AS-ID", "join/no-application-kek", { network: ours, asId: "nobody-as" }],
    ] as const)("where no KEK was stated for %s there are no keys", (_, code, to) => {
      const lone = { devEui: "00112233445566cc", joinEui: device.joinEui };
      expect(realm.say({ kind: "assignment", devices: [lone], ...to })).toBe("admitted");
      const blobs = realm.imported("1.0.4", {}, { ...lone, sealed: realm.sealed({ AppKey: appKey }, lone) });
      const request = one10({
        ...lone,
        blobs,
        network: to.network,
        joinRequest: joinRequest(appKey, lone.joinEui, lone.devEui, 1),
      });
      expect(refusedJoin(request)).toBe(code);
    });

    it("the AppSKey is never under the network's KEK, nor a network key under the application server's", () => {
      const envelopes = [one10(), one11()].flatMap((request) => Object.entries(joined(realm.ask.join(request)).keys));
      for (const [name, { kekLabel }] of envelopes)
        expect([name, kekLabel]).toEqual([name, name === "appSKey" ? "as/trefoil-as" : "ns/000013"]);
    });
  });

  describe("join server: blobs", () => {
    it.each<[string, () => VaultJoin, string]>([
      [
        "moved to another device",
        () => one10({ ...other, joinRequest: joinRequest(appKey, other.joinEui, other.devEui, 1) }),
        "join/blob-refused",
      ],
      [
        "moved to another JoinEUI",
        () =>
          one10({
            joinEui: "70b3d57ed0000002",
            joinRequest: joinRequest(appKey, "70b3d57ed0000002", device.devEui, 1),
          }),
        "join/blob-refused",
      ],
      [
        "of NwkKey and AppKey exchanged",
        () => one11({ blobs: { AppKey: blobs11.NwkKey ?? "", NwkKey: blobs11.AppKey ?? "" } }),
        "join/blob-refused",
      ],
      [
        "of an NwkKey as the AppKey of 1.0.x",
        () => one10({ blobs: { AppKey: blobs11.NwkKey ?? "" } }),
        "join/blob-refused",
      ],
      [
        "of octets of its own",
        () => one10({ blobs: { AppKey: Buffer.alloc(33, 5).toString("base64") } }),
        "join/blob-refused",
      ],
      [
        "without the NwkKey's, to have 1.0.x keys of a 1.1 device",
        () => one11({ macVersion: "1.0.4", dlSettings: 0x03, blobs: { AppKey: blobs11.AppKey ?? "" } }),
        "join/blob-refused",
      ],
      [
        "left out, where no master key stands",
        () => {
          const { blobs: _, ...rest } = one10();
          return rest;
        },
        "join/no-root-key",
      ],
    ])("%s: refused", (_, request, code) => {
      expect(refusedJoin(request())).toBe(code);
    });

    it("of another provenance: no exposure flag is ever cleared", () => {
      const blob = Buffer.from(blobs10.AppKey ?? "", "base64");
      expect(provenances[blob[0] ?? 99]).toBe("unknown");
      for (const octet of [0, 1, 2, 3, 4, 6, 255]) {
        const blobs = { AppKey: Buffer.concat([Buffer.of(octet), blob.subarray(1)]).toString("base64") };
        expect([octet, refusedJoin(one10({ blobs }))]).toEqual([octet, "join/blob-refused"]);
        expect(realm.ask.exposure([{ ...device, blobs }])).toEqual([]);
      }
    });

    it("of another vault of the same owner: refused (disk thief, too)", () => {
      second.makeRealm();
      const blobs = second.imported("1.0.4", { AppKey: appKey });
      expect(refusedJoin(one10({ blobs }))).toBe("join/blob-refused");
    });

    it("under its own provisioner's signature: a claim lowers no exposure", () => {
      const { privateKey } = generateKeyPairSync("ed25519");
      const sealed = realm.sealed({ AppKey: appKey });
      const row = { ...device, macVersion: "1.0.4", sealed };
      expect(outcome(realm.import({ ...row, provision: signProvision(privateKey, sealed) }))).toBe("import/provision");
      for (const origin of ["derived", "provisioner"])
        expect(outcome(realm.import({ ...row, origin }))).toBe("vault/malformed");
    });
  });

  describe("join server: without the device", () => {
    it("an invented join-request gets nothing, whatever keys of servers it was made with", () => {
      const has = [sNwkSIntKey, sessionKey(appKey, 1, 0x030201, "000013", 258), "00".repeat(16)];
      for (const key of has)
        expect(refusedJoin(one11({ joinRequest: joinRequest(key, device.joinEui, device.devEui, 9) }))).toBe(
          "join/mic-failed",
        );
    });

    it("a key of its own beside a device's other key, to make the device's join-request with, opens nothing", () => {
      const mine = "5a".repeat(16);
      const own = realm.imported("1.1", { AppKey: mine, NwkKey: mine });
      const mixed = { AppKey: blobs11.AppKey as string, NwkKey: own.NwkKey as string };
      const joinRequestOfMine = joinRequest(mine, device.joinEui, device.devEui, 9);
      expect(refusedJoin(one11({ joinRequest: joinRequestOfMine, blobs: mixed }))).toBe("join/blob-refused");
      const half = { AppKey: blobs11.AppKey as string };
      expect(refusedJoin(join10({ blobs: half }))).toBe("join/blob-refused");
    });

    it("an invented rejoin-request of type 1 gets nothing", () => {
      const forged = rejoinRequest(1, sNwkSIntKey, device.joinEui, device.devEui, 9);
      expect(outcome(realm.ask.rejoin(rejoin11(1, { blobs: blobs11, rejoinRequest: forged })))).toBe("join/mic-failed");
    });
  });

  describe("network server", () => {
    it("types 0 and 2 for a device that is not its own get nothing", () => {
      for (const type of [0, 2] as const) {
        const request = rejoinRequest(type, sNwkSIntKey, theirs.netId, device.devEui, 9);
        const ask = { blobs: blobs11, network: theirs, rejoinRequest: request };
        expect(outcome(realm.ask.rejoin(rejoin11(type, ask)))).toBe("join/not-assigned");
      }
    });

    it("honest limit: types 0 and 2 of its own device are its word, so it can have that device's session made anew; the AppSKey stays sealed from it", () => {
      const forged = rejoinRequest(0, "ff".repeat(16), ours.netId, device.devEui, 99);
      const { keys } = joined(realm.ask.rejoin(rejoin11(0, { blobs: blobs11, rejoinRequest: forged })));
      expect(keys.appSKey.kekLabel).toBe("as/trefoil-as");
    });
  });

  describe("root keys to another vault", () => {
    const exportTo = (to: string, of: object = { device, blobs: blobs10 }) =>
      outcome(realm.ask.exportRootKeys({ to, ...of }));
    const keyPair = makeSealingKeyPair();
    const { fingerprint, publicKey } = keyPair.published;

    it("none leaves without the owner's statement, for that device and that receiver", () => {
      expect(exportTo(fingerprint)).toBe("export/not-stated");
      expect(realm.say({ kind: "export", devices: [device], to: publicKey, until: 8e15 })).toBe("admitted");
      expect(exportTo(second.info.fingerprint)).toBe("export/not-stated");
      expect(exportTo(fingerprint, { device: other, blobs: blobs10 })).toBe("export/not-stated");
      expect(exportTo(fingerprint, { device, blobs: theirBlobs })).toBe("join/blob-refused");
      expect(realm.ask.exportRootKeys({ to: publicKey, device, blobs: blobs10 })).toBeUndefined();
    });

    it("with it, the keys open at the receiver alone, and the ledger says so for ever", async () => {
      const answer = realm.ask.exportRootKeys({ to: fingerprint, device, blobs: blobs11 });
      const sealed: SealedKeys =
        answer?.result === "exported" ? answer.sealed : expect.unreachable(JSON.stringify(answer));
      using opener = makeOpener(keyPair.privateKey);
      const opened = opener.open(sealed);
      const keys = opened.result === "opened" ? opened.keys : expect.unreachable(opened.code);
      expect(
        keys.map(({ key, devEui, joinEui }) => [
          key.role,
          devEui,
          joinEui,
          key.expose((octets) => Buffer.from(octets).toString("hex")),
        ]),
      ).toEqual([
        ["AppKey", device.devEui, device.joinEui, appKey],
        ["NwkKey", device.devEui, device.joinEui, nwkKey],
      ]);
      expect(outcome(realm.import({ ...device, macVersion: "1.1", sealed }))).toBe("sealed/not-for-this-receiver");
      expect(JSON.stringify(sealed)).not.toContain(appKey);
      await realm.restart();
      expect(realm.ask.exposure([{ ...device, blobs: blobs10 }])).toMatchObject([{ exportedTo: [fingerprint] }]);
      expect(realm.ask.status({})?.handles).toBe(0);
    });

    it("what was allowed for a time is over after it, or by a later statement; the ledger keeps it", () => {
      const { publicKey: to, fingerprint: name } = makeSealingKeyPair().published;
      const until = realm.now + 60_000;
      const old = realm.sign({ kind: "export", devices: [device], to, until });
      expect(realm.admit(old)).toBe("admitted");
      expect(exportTo(name)).toBe("exported");
      realm.now = until + 1;
      expect(exportTo(name)).toBe("export/not-stated");
      realm.now = until - 1;
      expect(exportTo(name)).toBe("exported");
      expect(realm.say({ kind: "export", devices: [device], to, until: 0 })).toBe("admitted");
      expect(exportTo(name)).toBe("export/not-stated");
      expect(realm.admit(old)).toBe("statement/older");
      expect(realm.ask.exposure([{ ...device, blobs: blobs10 }])?.[0]?.exportedTo).toContain(name);
    });

    it("between two vaults: exported, imported, and the device joins there", () => {
      expect(realm.say({ kind: "export", devices: [device], to: second.info.publicKey, until: 8e15 })).toBe("admitted");
      const answer = realm.ask.exportRootKeys({ to: second.info.fingerprint, device, blobs: blobs10 });
      const sealed = answer?.result === "exported" ? answer.sealed : expect.unreachable();
      const there = second.import({ ...device, macVersion: "1.0.4", sealed });
      const blobs = there.result === "imported" ? there.blobs : expect.unreachable(there.code);
      expect(second.ask.join(join10({ blobs }))?.result).toBe("joined");
      expect(there).toMatchObject({ provenance: "unknown" });
    });
  });

  describe("anybody with the pipe", () => {
    it("there is no operation that gives a key in the clear, and none but these", () => {
      const methods = [
        "admit",
        "exportRootKeys",
        "exposure",
        "importRootKeys",
        "info",
        "join",
        "rejoin",
        "statements",
        "status",
        "usesSince",
      ];
      expect(Object.keys(realm.ask).sort()).toEqual(methods);
    });

    it("console: a key that it sealed for one device is no other's, whatever it says", () => {
      const sealed = sealKeys(realm.receiver, [{ key: new Key("AppKey", un(appKey)), ...device }]);
      expect(outcome(realm.import({ ...other, macVersion: "1.0.4", sealed }))).toBe("import/other-device");
      const renamed = { ...sealed, keys: sealed.keys.map((key) => ({ ...key, devEui: other.devEui })) };
      expect(outcome(realm.import({ ...other, macVersion: "1.0.4", sealed: renamed }))).toBe("sealed/changed");
    });
  });

  it("disk thief: another owner's key in the vault's file, and it does not open", async () => {
    const path = join(realm.made.dataDir, "vault.json");
    const kept = readFileSync(path, "utf8");
    await realm.process.stop();
    writeFileSync(path, JSON.stringify({ ...JSON.parse(kept), ownerPublicKey: makeOwnerKey("thief").publicKey }));
    expect(() => realm.made.open()).toThrow();
    writeFileSync(path, kept);
    realm.process = realm.start(0);
  });

  it("disk thief: a changed audit log does not go on as if nothing had been", async () => {
    await realm.process.stop();
    const folder = join(realm.made.dataDir, "audit-log");
    const saved = mkdtempSync(join(tmpdir(), "trefoil-audit-"));
    for (const name of readdirSync(folder)) copyFileSync(join(folder, name), join(saved, name));
    const last = readdirSync(folder).sort().at(-1) ?? "";
    writeFileSync(join(folder, last), readFileSync(join(folder, last), "utf8").replace('"self-test"', '"other-test"'));
    expect(() => realm.start(0)).toThrow(/was changed/);
    expect((await realm.auditLog()).report).toMatchObject({ result: "broken" });
    for (const name of readdirSync(saved)) copyFileSync(join(saved, name), join(folder, name));
    rmSync(saved, { recursive: true });
    realm.process = realm.start(0);
    expect(parseReceiver(realm.info.publicKey)?.fingerprint).toBe(realm.info.fingerprint);
  });
}
