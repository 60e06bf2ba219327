/** Root keys in: from sealed to blobs, and the exposure ledger. docs/sealed-key.md, docs/authority.md. */
import { generateKeyPairSync, sign } from "node:crypto";
import { provisionText, signProvision, toBase64 } from "@trefoil/custody";
import type { SealedKeys } from "@trefoil/wire";
import { beforeAll, expect, it } from "vitest";
import { appKey, device, type Engine, join10, join11, nwkKey, other, outcome, Realm } from "./kit.ts";

export function importRules(engine: Engine): void {
  let realm: Realm;
  const sealed10 = () => realm.sealed({ AppKey: appKey });
  beforeAll(() => {
    realm = new Realm(engine);
    realm.makeRealm();
    return () => realm.process.stop();
  });

  const renamed = (sealed: SealedKeys, devEui: string) => ({
    ...sealed,
    keys: sealed.keys.map((key) => ({ ...key, devEui })),
  });
  it.each<[string, () => object, string]>([
    [
      "keys of another device",
      () => ({ ...device, sealed: realm.sealed({ AppKey: appKey }, other) }),
      "import/other-device",
    ],
    [
      "keys of another JoinEUI",
      () => ({ ...device, sealed: realm.sealed({ AppKey: appKey }, { ...device, joinEui: "0000000000000001" }) }),
      "import/other-device",
    ],
    ["a DevEUI changed on the way", () => ({ ...other, sealed: renamed(sealed10(), other.devEui) }), "sealed/changed"],
    ["1.1 without NwkKey", () => ({ ...device, macVersion: "1.1", sealed: sealed10() }), "import/wrong-keys"],
    [
      "1.0.x with NwkKey",
      () => ({ ...device, sealed: realm.sealed({ AppKey: appKey, NwkKey: nwkKey }) }),
      "import/wrong-keys",
    ],
    [
      "a session key",
      () => ({ ...device, sealed: realm.sealed({ AppKey: appKey, AppSKey: nwkKey }) }),
      "import/wrong-keys",
    ],
    ["a KEK", () => ({ ...device, sealed: realm.sealed({ KEK: appKey }) }), "import/wrong-keys"],
    ["a master key", () => ({ ...device, sealed: realm.sealed({ MasterKey: appKey + nwkKey }) }), "import/wrong-keys"],
    ["an unknown version", () => ({ ...device, macVersion: "1.2", sealed: sealed10() }), "vault/malformed"],
    ["an unknown origin", () => ({ ...device, sealed: sealed10(), origin: "derived" }), "vault/malformed"],
    ["nothing sealed", () => device, "vault/malformed"],
    ["something else sealed", () => ({ ...device, sealed: {} }), "sealed/malformed"],
    [
      "what is sealed to another",
      () => ({ ...device, sealed: { ...sealed10(), to: "00".repeat(32) } }),
      "sealed/not-for-this-receiver",
    ],
  ])("does not import %s, and goes on with the next row", (_, row, code) => {
    const rows = [
      { macVersion: "1.0.4", ...row() },
      { ...device, macVersion: "1.0.4", sealed: sealed10() },
    ];
    expect(realm.ask.importRootKeys(rows)?.map(outcome)).toEqual([code, "imported"]);
    expect(realm.ask.status({})?.handles).toBe(0);
  });

  it("GenAppKey of a 1.0.x device comes along (TS005)", () => {
    const blobs = realm.imported("1.0.4", { AppKey: appKey, GenAppKey: nwkKey });
    expect(Object.keys(blobs).sort()).toEqual(["AppKey", "GenAppKey"]);
    expect(realm.ask.exposure([{ ...device, blobs }])?.map(({ role }) => role)).toEqual(["AppKey", "GenAppKey"]);
  });

  it.each([
    [undefined, "unknown"],
    ["generated", "generated"],
    ["typed", "typed"],
    ["file", "file"],
  ])("a key of origin %s has provenance %s, in its blob, its joins and the ledger", (origin, provenance) => {
    const row = { ...device, macVersion: "1.0.4", sealed: sealed10(), ...(origin === undefined ? {} : { origin }) };
    const answer = realm.import(row);
    if (answer.result !== "imported") return expect.unreachable(JSON.stringify(answer));
    expect(answer.provenance).toBe(provenance);
    const { blobs } = answer;
    expect(realm.ask.join(join10({ blobs }))).toMatchObject({ result: "joined", provenance });
    expect(realm.ask.exposure([{ ...device, blobs }])).toEqual([
      { ...device, role: "AppKey", provenance, exportedTo: [] },
    ]);
  });

  it.each(["ed25519", "p256"])("a registered provisioner's signature (%s) is believed, in its range alone", (kind) => {
    const { privateKey, publicKey } =
      kind === "p256" ? generateKeyPairSync("ec", { namedCurve: "prime256v1" }) : generateKeyPairSync("ed25519");
    const spki = publicKey.export({ type: "spki", format: "der" }).toString("base64");
    const joinEuis = { first: device.joinEui, last: device.joinEui };
    const row = (keys: SealedKeys) => ({
      ...device,
      macVersion: "1.0.4",
      sealed: keys,
      provision: signProvision(privateKey, keys),
    });
    expect(realm.import(row(sealed10()))).toEqual({ result: "refused", code: "import/provision" });
    expect(realm.say({ kind: "provisioner", name: "maker", publicKey: spki, joinEuis })).toBe("admitted");
    expect(realm.import({ ...row(sealed10()), origin: "file" })).toMatchObject({ provenance: "provisioner" });

    const elsewhere = { ...device, joinEui: "70b3d57ed0000002" };
    const foreign = realm.sealed({ AppKey: appKey }, elsewhere);
    expect(realm.import({ ...row(foreign), ...elsewhere })).toEqual({ result: "refused", code: "import/provision" });
    const [first, second] = [sealed10(), sealed10()];
    expect(realm.import({ ...row(first), sealed: second })).toEqual({ result: "refused", code: "import/provision" });
    const algorithm = kind === "p256" ? "sha256" : null;
    const unprefixed = sign(algorithm, provisionText(first).subarray(20), {
      key: privateKey,
      dsaEncoding: "ieee-p1363",
    });
    expect(realm.import({ ...row(first), provision: { publicKey: spki, signature: toBase64(unprefixed) } })).toEqual({
      result: "refused",
      code: "import/provision",
    });

    expect(realm.say({ kind: "provisioner", name: "maker", publicKey: spki, joinEuis, revoked: true })).toBe(
      "admitted",
    );
    expect(realm.import(row(sealed10()))).toEqual({ result: "refused", code: "import/provision" });
  });

  it("blobs of two imports never serve together: each is bound to what it came with", () => {
    const keys = { AppKey: appKey, NwkKey: nwkKey };
    const [first, second] = [realm.imported("1.1", keys), realm.imported("1.1", keys)];
    for (const blobs of [first, second]) expect(realm.ask.join(join11({ blobs }))?.result).toBe("joined");
    const mixed = { AppKey: first.AppKey ?? "", NwkKey: second.NwkKey ?? "" };
    for (const blobs of [mixed, { AppKey: first.AppKey ?? "" }, { ...first, GenAppKey: first.AppKey ?? "" }])
      expect(realm.ask.exposure([{ ...device, blobs }])).toEqual([]);
    expect(realm.ask.join(join11({ blobs: mixed }))).toEqual({ result: "refused", code: "join/blob-refused" });
  });
}
