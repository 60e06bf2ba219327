/** Root keys that are derived from a maker's master key by LORA-KDF-1, at rest nowhere. */
import { beforeAll, expect, it } from "vitest";
import { joinRequest, loraKdf1, readJoinAccept, sessionKey } from "../reference.ts";
import { device, type Engine, join10, join11, joined, nwkKey, other, Realm } from "./kit.ts";

const master = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const range = { first: "70b3d57ed0000000", last: "70b3d57ed00000ff" };

export function derivedRules(engine: Engine): void {
  let realm: Realm;
  const zero = { devEui: "0000000000000000", joinEui: "0000000000000000" };
  const statement = (change: object = {}, key = master) =>
    ({
      ...{ kind: "master-key", joinEuis: range, kdf: "LORA-KDF-1", epoch: 1, extra: "", macVersion: "1.1" },
      key: realm.sealed({ MasterKey: key }, zero),
      ...change,
    }) as Parameters<Realm["say"]>[0];
  const derived = (purpose: string, at = device, epoch = 1, extra = "", key = master) =>
    loraKdf1(key, purpose, epoch, extra, at.joinEui, at.devEui);
  const request = (root: string, at = device) =>
    join11({ ...at, joinRequest: joinRequest(root, at.joinEui, at.devEui, 258) });

  beforeAll(() => {
    realm = new Realm(engine);
    realm.makeRealm();
    return () => realm.process.stop();
  });

  it("the second derivation gives the published vectors", () => {
    expect(derived("NwkKey")).toBe("d2538062eca32956a868f96942414775");
    expect(derived("AppKey")).toBe("bb612567fb887d9dcd416c5b2ae89b2d");
  });

  it("a range with a master key needs no blobs: joins use the derived keys, and say so", () => {
    expect(realm.ask.join(request(derived("NwkKey")))).toEqual({ result: "refused", code: "join/no-root-key" });
    expect(realm.say(statement())).toBe("admitted");
    for (const at of [device, other]) {
      const { joinAccept, keys, provenance } = joined(realm.ask.join(request(derived("NwkKey", at), at)));
      expect(readJoinAccept(derived("NwkKey", at), joinAccept).fields.readUIntLE(0, 3)).toBe(0x030201);
      expect(realm.opened("as/trefoil-as", keys.appSKey)).toBe(
        sessionKey(derived("AppKey", at), 2, 0x030201, at.joinEui, 258),
      );
      expect(provenance).toBe("derived");
    }
    expect(realm.ask.join(request(derived("NwkKey", other), device))).toEqual({
      result: "refused",
      code: "join/mic-failed",
    });
    expect(realm.ask.status({})?.handles).toBe(0);
  });

  it("a device with blobs uses its blobs", () => {
    const blobs = realm.imported("1.1", { AppKey: nwkKey, NwkKey: nwkKey });
    expect(realm.ask.join({ ...request(nwkKey), blobs })?.result).toBe("joined");
    expect(realm.ask.join({ ...request(derived("NwkKey")), blobs })).toEqual({
      result: "refused",
      code: "join/mic-failed",
    });
  });

  it("the scheme is the master key's: nobody has 1.0.x keys from a 1.1 device's roots", () => {
    const as10 = join10({ joinRequest: joinRequest(derived("AppKey"), device.joinEui, device.devEui, 1) });
    expect(realm.ask.join(as10)).toEqual({ result: "refused", code: "join/version" });
  });

  it("the ledger has derived keys as never exposed", () => {
    expect(realm.ask.exposure([device])).toEqual(
      ["AppKey", "NwkKey"].map((role) => ({ ...device, role, provenance: "derived", exportedTo: [] })),
    );
  });

  it("keys derived from a master key that somebody typed are exposed as it is", () => {
    expect(realm.say(statement({ origin: "typed" }))).toBe("admitted");
    expect(realm.ask.exposure([device])).toMatchObject([{ provenance: "typed" }, { provenance: "typed" }]);
    expect(realm.ask.join(request(derived("NwkKey")))).toMatchObject({ result: "joined", provenance: "typed" });
    expect(realm.say(statement({}))).toBe("admitted");
  });

  it("epoch and extra change the keys, from the statement on; a smaller range outranks", () => {
    expect(realm.say(statement({ epoch: 2, extra: "c0ffee" }))).toBe("admitted");
    expect(realm.ask.join(request(derived("NwkKey")))).toMatchObject({ code: "join/mic-failed" });
    expect(realm.ask.join(request(derived("NwkKey", device, 2, "c0ffee")))?.result).toBe("joined");
    const one = { first: device.joinEui, last: device.joinEui };
    const second = "ff".repeat(32);
    expect(realm.say(statement({ joinEuis: one, macVersion: "1.0.4" }, second))).toBe("admitted");
    const root = derived("AppKey", device, 1, "", second);
    const { keys } = joined(
      realm.ask.join(join10({ joinRequest: joinRequest(root, device.joinEui, device.devEui, 1) })),
    );
    expect(realm.opened("ns/000013", "nwkSKey" in keys ? keys.nwkSKey : undefined)).toBe(
      sessionKey(root, 1, 0x030201, "000013", 1),
    );
    expect(realm.ask.status({})).toMatchObject({ handles: 0, damaged: [] });
  });

  it("outside of every range there is no key", () => {
    const outside = { ...device, joinEui: "70b3d57ed0000100" };
    expect(realm.ask.join(request(derived("NwkKey", outside), outside))).toMatchObject({ code: "join/no-root-key" });
  });

  it("goes on after a restart, from the statement alone", async () => {
    await realm.restart();
    expect(realm.ask.join(request(derived("NwkKey", other, 2, "c0ffee"), other))).toMatchObject({
      code: "join/version",
    });
    const elsewhere = { ...device, joinEui: "70b3d57ed0000007" };
    expect(realm.ask.join(request(derived("NwkKey", elsewhere, 2, "c0ffee"), elsewhere))?.result).toBe("joined");
  });
}
