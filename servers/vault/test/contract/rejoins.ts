/** Rejoins of 1.1: LoRaWAN 1.1 §6.2.4 (requests), §6.2.5 (the join-accept that answers them), against a second derivation. */
import type { RootKeyBlobs, VaultRejoin } from "@trefoil/custody";
import { beforeAll, expect, it } from "vitest";
import { acceptFields, acceptMic11, jsKey, readJoinAccept, rejoinRequest, sessionKey } from "../reference.ts";
import { appKey, device, type Engine, joined, nwkKey, Realm, rejoin11 } from "./kit.ts";

export function rejoinRules(engine: Engine): void {
  let realm: Realm;
  let blobs: RootKeyBlobs;
  const one = (type: 0 | 1 | 2, change: Partial<VaultRejoin> = {}) => rejoin11(type, { blobs, ...change });
  const jsIntKey = jsKey(nwkKey, 6, device.devEui);

  beforeAll(() => {
    realm = new Realm(engine);
    realm.makeRealm();
    blobs = realm.imported("1.1", { AppKey: appKey, NwkKey: nwkKey });
    return () => realm.process.stop();
  });

  it.each([0, 1, 2] as const)(
    "type %i: encrypted under JSEncKey, MIC under JSIntKey with its JoinReqType, keys with RJcount as nonce",
    (type) => {
      const { joinAccept, keys } = joined(realm.ask.rejoin(one(type)));
      const accept = readJoinAccept(jsKey(nwkKey, 5, device.devEui), joinAccept);
      expect(accept.fields.toString("hex")).toBe(acceptFields(0x030202, "000013", "26011bda", 0x83, 1));
      expect(accept.mic).toBe(acceptMic11(jsIntKey, device.joinEui, 7, accept.fields, type));
      if (!("fNwkSIntKey" in keys)) return expect.unreachable();
      const expected = (root: string, prefix: number) => sessionKey(root, prefix, 0x030202, device.joinEui, 7);
      expect(realm.opened("ns/000013", keys.fNwkSIntKey)).toBe(expected(nwkKey, 1));
      expect(realm.opened("ns/000013", keys.sNwkSIntKey)).toBe(expected(nwkKey, 3));
      expect(realm.opened("ns/000013", keys.nwkSEncKey)).toBe(expected(nwkKey, 4));
      expect(realm.opened("as/trefoil-as", keys.appSKey)).toBe(expected(appKey, 2));
    },
  );

  const changed = (request: VaultRejoin, at: number) => {
    const octets = Buffer.from(request.rejoinRequest, "hex");
    octets[at] = (octets[at] ?? 0) ^ 1;
    return { ...request, rejoinRequest: octets.toString("hex") };
  };
  it.each<[string, () => VaultRejoin, string]>([
    ["type 1 with a wrong MIC", () => changed(one(1), 23), "join/mic-failed"],
    ["type 1 with a changed RJcount1", () => changed(one(1), 18), "join/mic-failed"],
    [
      "type 1 under the NwkKey",
      () => one(1, { rejoinRequest: rejoinRequest(1, nwkKey, device.joinEui, device.devEui, 7) }),
      "join/mic-failed",
    ],
    ["type 1 of another device", () => changed(one(1), 10), "join/other-device"],
    ["type 1 of another JoinEUI", () => changed(one(1), 2), "join/other-device"],
    ["type 0 of another device", () => changed(one(0), 5), "join/other-device"],
    ["type 0 that names another network", () => changed(one(0), 2), "join/not-assigned"],
    ["type 2 that names another network", () => changed(one(2), 4), "join/not-assigned"],
    [
      "type 1 with the length of type 0",
      () => one(0, { rejoinRequest: `c001${one(0).rejoinRequest.slice(4)}` }),
      "vault/malformed",
    ],
    ["type 3", () => one(0, { rejoinRequest: `c003${one(0).rejoinRequest.slice(4)}` }), "vault/malformed"],
    ["another kind of frame", () => one(1, { rejoinRequest: `00${one(1).rejoinRequest.slice(2)}` }), "vault/malformed"],
    ["no OptNeg", () => one(1, { dlSettings: 3 }), "join/version"],
    [
      "a device of 1.0.x",
      () => one(1, { macVersion: "1.0.4", dlSettings: 3, blobs: { AppKey: blobs.AppKey ?? "" } }),
      "join/version",
    ],
    [
      "exchanged blobs",
      () => one(0, { blobs: { AppKey: blobs.NwkKey ?? "", NwkKey: blobs.AppKey ?? "" } }),
      "join/blob-refused",
    ],
  ])("refuses %s", (_, request, code) => {
    expect(realm.ask.rejoin(request())).toEqual({ result: "refused", code });
    expect(realm.ask.status({})?.handles).toBe(0);
  });

  it("takes neither a join-request for a rejoin nor a rejoin-request for a join", () => {
    const { rejoinRequest: request, ...rest } = one(1);
    expect(realm.ask.join({ ...rest, joinRequest: request })).toBeUndefined();
    expect(realm.ask.rejoin({ ...rest, rejoinRequest: "00".repeat(23) })).toBeUndefined();
  });

  it("what a network server says of types 0 and 2 is not checked here: their MIC is under its SNwkSIntKey (docs/authority.md, limits)", () => {
    for (const type of [0, 2] as const) expect(realm.ask.rejoin(changed(one(type), 18))?.result).toBe("joined");
  });
}
