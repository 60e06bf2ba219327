/** Joins: TS001-1.0.4 §6.2, LoRaWAN 1.1 §6.2, against a second derivation (reference.ts). */
import type { RootKeyBlobs, VaultJoin } from "@trefoil/custody";
import { beforeAll, expect, it } from "vitest";
import {
  acceptFields,
  acceptMic10,
  acceptMic11,
  joinRequest,
  jsKey,
  readJoinAccept,
  sessionKey,
  un,
} from "../reference.ts";
import { appKey, asId, device, type Engine, join10, join11, joined, nwkKey, Realm } from "./kit.ts";

export function joinRules(engine: Engine): void {
  let realm: Realm;
  let blobs10: RootKeyBlobs;
  let blobs11: RootKeyBlobs;
  const one10 = (change: Partial<VaultJoin> = {}) => join10({ blobs: blobs10, ...change });
  const one11 = (change: Partial<VaultJoin> = {}) => join11({ blobs: blobs11, ...change });

  beforeAll(() => {
    realm = new Realm(engine);
    realm.makeRealm();
    blobs10 = realm.imported("1.0.4", { AppKey: appKey });
    blobs11 = realm.imported("1.1", { AppKey: appKey, NwkKey: nwkKey });
    return () => realm.process.stop();
  });

  it("says what it is, and the fingerprint is of the key that it publishes", () => {
    expect(realm.ask.info({})).toEqual(realm.info);
    expect([realm.info.engine, realm.receiver.fingerprint]).toEqual([engine.name, realm.info.fingerprint]);
  });

  it("1.0.x: the device accepts the join-accept, and each server opens its keys alone (TS001-1.0.4 §6.2)", () => {
    const answer = joined(realm.ask.join(one10()));
    const accept = readJoinAccept(appKey, answer.joinAccept);
    expect(accept.mhdr).toBe(0x20);
    expect(accept.fields.toString("hex")).toBe(acceptFields(0x030201, "000013", "26011bda", 0x03, 1));
    expect(accept.mic).toBe(acceptMic10(appKey, accept.fields));
    const { keys } = answer;
    if (!("nwkSKey" in keys)) return expect.unreachable();
    expect(realm.opened("ns/000013", keys.nwkSKey)).toBe(sessionKey(appKey, 1, 0x030201, "000013", 258));
    expect(realm.opened("as/trefoil-as", keys.appSKey)).toBe(sessionKey(appKey, 2, 0x030201, "000013", 258));
    expect(Object.keys(keys).sort()).toEqual(["appSKey", "nwkSKey"]);
    expect([answer.asId, answer.provenance, answer.use.instance]).toEqual([asId, "unknown", 0]);
  });

  it("1.1: OptNeg set, MIC under JSIntKey, AppSKey from AppKey and network keys from NwkKey (LoRaWAN 1.1 §6.2)", () => {
    const { joinAccept, keys } = joined(realm.ask.join(one11()));
    const accept = readJoinAccept(nwkKey, joinAccept);
    expect(accept.fields.toString("hex")).toBe(acceptFields(0x030201, "000013", "26011bda", 0x83, 1));
    expect(accept.mic).toBe(acceptMic11(jsKey(nwkKey, 6, device.devEui), device.joinEui, 258, accept.fields));
    if (!("fNwkSIntKey" in keys)) return expect.unreachable();
    const expected = (root: string, prefix: number) => sessionKey(root, prefix, 0x030201, device.joinEui, 258);
    expect(realm.opened("ns/000013", keys.fNwkSIntKey)).toBe(expected(nwkKey, 1));
    expect(realm.opened("ns/000013", keys.sNwkSIntKey)).toBe(expected(nwkKey, 3));
    expect(realm.opened("ns/000013", keys.nwkSEncKey)).toBe(expected(nwkKey, 4));
    expect(realm.opened("as/trefoil-as", keys.appSKey)).toBe(expected(appKey, 2));
  });

  it.each(["184f84e85684b85e84886684586e8400", "ff000000000000000000000000000001"])(
    "a CFList travels in the join-accept as given: %s",
    (cfList) => {
      const accept = readJoinAccept(appKey, joined(realm.ask.join(one10({ cfList }))).joinAccept);
      expect(accept.fields.toString("hex")).toBe(acceptFields(0x030201, "000013", "26011bda", 0x03, 1, cfList));
      expect(accept.mic).toBe(acceptMic10(appKey, accept.fields));
    },
  );

  it("answers the same question the same way, but for its entry in the audit log: asking twice is safe", () => {
    const [first, second] = [joined(realm.ask.join(one10())), joined(realm.ask.join(one10()))];
    expect({ ...second, use: first.use }).toEqual(first);
    expect(second.use.entry).toBeGreaterThan(first.use.entry);
  });

  it("no answer has a root key, a session key or a KEK in it", () => {
    const { ask } = realm;
    const requests = [one10(), one11()].map((request) => ask.join(request));
    const answers = JSON.stringify([...requests, ask.statements({}), ask.status({}), ask.info({}), blobs10, blobs11]);
    const kek = realm.keks.get("ns/000013")?.key.expose((octets) => Buffer.from(octets).toString("hex")) ?? "";
    for (const secret of [appKey, nwkKey, sessionKey(appKey, 1, 0x030201, "000013", 258), kek]) {
      expect(answers).not.toContain(secret);
      expect(answers).not.toContain(un(secret).toString("base64"));
    }
  });

  const wrongMic = () => `${one10().joinRequest.slice(0, -1)}${one10().joinRequest.endsWith("0") ? "1" : "0"}`;
  it.each<[string, () => VaultJoin, string]>([
    ["a wrong MIC", () => one10({ joinRequest: wrongMic() }), "join/mic-failed"],
    [
      "a join-request of another key",
      () => one10({ joinRequest: joinRequest(nwkKey, device.joinEui, device.devEui, 258) }),
      "join/mic-failed",
    ],
    [
      "a 1.1 join-request under the AppKey",
      () => one11({ joinRequest: joinRequest(appKey, device.joinEui, device.devEui, 258) }),
      "join/mic-failed",
    ],
    [
      "another device's join-request",
      () => one10({ joinRequest: joinRequest(appKey, device.joinEui, "0011223344556678", 258) }),
      "join/other-device",
    ],
    [
      "another JoinEUI's join-request",
      () => one10({ joinRequest: joinRequest(appKey, "70b3d57ed0000002", device.devEui, 258) }),
      "join/other-device",
    ],
    ["another kind of frame", () => one10({ joinRequest: `40${one10().joinRequest.slice(2)}` }), "vault/malformed"],
    ["OptNeg for a 1.0.x device", () => one10({ dlSettings: 0x83 }), "join/version"],
    ["no OptNeg for a 1.1 device", () => one11({ dlSettings: 0x03 }), "join/version"],
    ["a 1.1 device said to be 1.0.4", () => one11({ macVersion: "1.0.4" }), "join/version"],
    [
      "a 1.1 device said to be 1.0.4 without OptNeg",
      () => one11({ macVersion: "1.0.4", dlSettings: 3 }),
      "join/version",
    ],
    ["a 1.0.4 device said to be 1.1", () => one10({ macVersion: "1.1", dlSettings: 0x83 }), "join/version"],
    [
      "a device without root keys, blobs or derived",
      () => {
        const { blobs: _, ...request } = one10();
        return request;
      },
      "join/no-root-key",
    ],
  ])("refuses %s", (_, request, code) => {
    expect(realm.ask.join(request())).toEqual({ result: "refused", code });
  });

  it.each<[string, () => object]>([
    ["a blob that is too long", () => one10({ blobs: { AppKey: Buffer.alloc(32).toString("base64") } })],
    ["no blob in its blobs", () => one10({ blobs: {} })],
    ["a JoinNonce over 24 bits", () => one10({ joinNonce: 2 ** 24 })],
    ["a fractional JoinNonce", () => one10({ joinNonce: 1.5 })],
    ["an EUI in capitals", () => one10({ devEui: "00112233445566AA" })],
    ["a short DevAddr", () => one10({ devAddr: "2601" })],
    ["a long join-request", () => one10({ joinRequest: "00".repeat(24) })],
    ["a CFList of 15 octets", () => one10({ cfList: "00".repeat(15) })],
    ["an RxDelay over 15", () => one10({ rxDelay: 16 })],
    ["a network as text", () => ({ ...one10(), network: "000013" })],
    ["an unknown version", () => ({ ...one10(), macVersion: "1.2" })],
  ])("takes no join with %s", (_, request) => {
    expect(realm.ask.join(request())).toBeUndefined();
  });

  it("leaves no handle behind, whatever became of the joins", () => {
    const requests = [
      one10(),
      one11(),
      one10({ joinRequest: wrongMic() }),
      one11({ blobs: { AppKey: blobs10.AppKey ?? "", NwkKey: blobs10.AppKey ?? "" } }),
    ];
    for (let i = 0; i < 10; i += 1) for (const request of requests) realm.ask.join(request);
    expect(realm.ask.status({})).toMatchObject({ handles: 0, damaged: [], instance: 0 });
  });

  it.each([undefined, null, 1, "x", [], {}, { payload: 1 }, [null, 1, {}]])(
    "%j is an answer or nothing, never an exception",
    (body) => {
      for (const operation of Object.values(realm.ask)) expect(() => operation(body)).not.toThrow();
    },
  );

  it("blobs and statements survive a restart", async () => {
    const before = [realm.ask.info({}), realm.ask.statements({})];
    const { use: _, ...answer } = joined(realm.ask.join(one11()));
    await realm.restart();
    expect([realm.ask.info({}), realm.ask.statements({})]).toEqual(before);
    expect(realm.ask.join(one11())).toMatchObject(answer);
    expect(realm.ask.status({})?.damaged).toEqual([]);
  });
}
