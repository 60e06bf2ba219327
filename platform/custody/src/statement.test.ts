import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import type { Statement } from "@trefoil/wire";
import { expect, it } from "vitest";
import { makeKekSealedTo } from "./kek.ts";
import { makeKey } from "./key.ts";
import { isInRange, networkText } from "./networks.ts";
import { makeOwnerKey, openOwnerKey, parseOwnerPublicKey } from "./owner.ts";
import { makeSealingKeyPair, parseReceiver } from "./receiver.ts";
import { sealKeys } from "./sealing.ts";
import { signStatement, verifyStatement } from "./statement.ts";
import { statementRow } from "./statement-kinds.ts";

const published = makeSealingKeyPair().published;
const vault = parseReceiver(published.publicKey) ?? expect.unreachable();
const owner = makeOwnerKey("correct horse");
const ownerKey = openOwnerKey(owner.privateKeyPem, "correct horse") ?? expect.unreachable();
const pinned = parseOwnerPublicKey(owner.publicKey) ?? expect.unreachable();
const spki = (type: "ed25519" | "p256" | "p384") => {
  const { publicKey } =
    type === "ed25519"
      ? generateKeyPairSync("ed25519")
      : generateKeyPairSync("ec", { namedCurve: type === "p256" ? "prime256v1" : "secp384r1" });
  return publicKey.export({ type: "spki", format: "der" }).toString("base64");
};
const common = { version: 1, vault: vault.fingerprint, issuedAt: 1_700_000_000_000 } as const;
const network = { netId: "000013" };
const joinEuis = { first: "70b3d57ed0000000", last: "70b3d57ed0ffffff" };
const device = { devEui: "0011223344556677", joinEui: "70b3d57ed0000001" };
const { sealed: kek } = makeKekSealedTo(vault, "ns/000013");
const masterKey = sealKeys(vault, [{ key: makeKey("MasterKey") }]);

const good = {
  kek: { ...common, kind: "kek", label: "ns/000013", network, kek, usedFrom: 1_800_000_000_000 },
  "kek of an AS-ID": { ...common, kind: "kek", label: "as", asId: "trefoil-as", kek, shown: true },
  peer: {
    ...common,
    kind: "peer",
    name: "TTS of Acme",
    certificate: "0f".repeat(32),
    network: { netId: "000000", nsId: "0011223344556677" },
    url: "https://acme.example/backend",
    appSKey: "app-s-key-req",
  },
  "peer that is revoked": {
    ...common,
    kind: "peer",
    name: "x",
    certificate: "0f".repeat(32),
    asId: "a",
    revoked: true,
  },
  "assignment of devices": { ...common, kind: "assignment", devices: [device], network, asId: "trefoil-as" },
  "assignment of a range": { ...common, kind: "assignment", joinEuis, network, asId: "trefoil-as" },
  "assignment to nobody": { ...common, kind: "assignment", joinEuis },
  "master key": {
    ...common,
    kind: "master-key",
    joinEuis,
    kdf: "LORA-KDF-1",
    epoch: 1,
    extra: "00ff",
    macVersion: "1.1",
    key: masterKey,
  },
  provisioner: { ...common, kind: "provisioner", name: "maker", publicKey: spki("p256"), joinEuis },
  "provisioner with Ed25519": { ...common, kind: "provisioner", name: "maker", publicKey: spki("ed25519"), joinEuis },
  export: { ...common, kind: "export", devices: [device], to: published.publicKey, until: 1_800_000_000_000 },
} as const satisfies { readonly [name: string]: Statement };

it("the owner's private key lies encrypted, and opens with its passphrase alone", () => {
  expect(owner.privateKeyPem).toContain("BEGIN ENCRYPTED PRIVATE KEY");
  expect(openOwnerKey(owner.privateKeyPem, "wrong")).toBeUndefined();
  expect(createPublicKey(ownerKey).equals(pinned)).toBe(true);
});

it.each(Object.entries(good))("what the owner signed is valid, and nobody else's signature is: %s", (_, statement) => {
  const signed = signStatement(ownerKey, statement);
  expect(verifyStatement(pinned, vault.fingerprint, JSON.parse(JSON.stringify(signed)))).toEqual({
    result: "valid",
    statement,
  });
  const stranger = generateKeyPairSync("ed25519").privateKey;
  expect(verifyStatement(pinned, vault.fingerprint, signStatement(stranger, statement))).toEqual({
    result: "refused",
    code: "statement/not-signed-by-owner",
  });
});

it("a statement for another vault is refused, although the owner signed it", () => {
  expect(verifyStatement(pinned, "00".repeat(32), signStatement(ownerKey, good.kek))).toEqual({
    result: "refused",
    code: "statement/other-vault",
  });
});

it.each(["", "TREFOIL-REGISTRATION-1\0", "TREFOIL-PROVISION-1\0"])(
  "a signature over the same text for another purpose is refused: %j",
  (purpose) => {
    const { payload } = signStatement(ownerKey, good.kek);
    const signature = sign(null, Buffer.from(purpose + payload), ownerKey).toString("base64");
    expect(verifyStatement(pinned, vault.fingerprint, { payload, signature })).toEqual({
      result: "refused",
      code: "statement/not-signed-by-owner",
    });
  },
);

it("any changed character is refused", () => {
  const { payload, signature } = signStatement(ownerKey, good.kek);
  for (let at = 0; at < payload.length; at += 7) {
    const changed = `${payload.slice(0, at)}${payload[at] === "0" ? "1" : "0"}${payload.slice(at + 1)}`;
    expect(verifyStatement(pinned, vault.fingerprint, { payload: changed, signature })).toEqual({
      result: "refused",
      code: "statement/not-signed-by-owner",
    });
  }
});

/** The owner is no fool-proof check: what is signed must also make sense. */
const signText = (payload: string) => ({
  payload,
  signature: sign(null, Buffer.from(`TREFOIL-STATEMENT-1\0${payload}`), ownerKey).toString("base64"),
});
const twice = <T>(value: T) => [value, value];
const { kek: kekStatement, peer, provisioner, export: exported } = good;
const ofDevices = good["assignment of devices"];
const ofRange = good["assignment of a range"];
const ofMaster = good["master key"];
it.each<[string, unknown]>([
  ["both a network and an AS-ID for a KEK", { ...kekStatement, asId: "trefoil-as" }],
  ["neither network nor AS-ID", { ...kekStatement, network: undefined }],
  ["a NetID in capitals", { ...kekStatement, network: { netId: "00001A" } }],
  ["a short NSID", { ...kekStatement, network: { netId: "000013", nsId: "00" } }],
  ["a field that nobody knows", { ...kekStatement, exceptOn: "Sundays" }],
  ["a field of a network that nobody knows", { ...kekStatement, network: { netId: "000013", region: "EU" } }],
  ["no label", { ...kekStatement, label: "" }],
  ["an unknown kind", { ...kekStatement, kind: "any" }],
  ["a kind of Object's prototype", { ...kekStatement, kind: "constructor" }],
  ["another version", { ...kekStatement, version: 2 }],
  ["no time", { ...kekStatement, issuedAt: "now" }],
  ["a time before all times", { ...kekStatement, issuedAt: -1 }],
  ["a fractional time", { ...kekStatement, usedFrom: 0.5 }],
  ["shown that is not true", { ...kekStatement, shown: false }],
  ["another kind of key", { ...kekStatement, kek: sealKeys(vault, [{ key: makeKey("AppKey") }]) }],
  ["two keys", { ...kekStatement, kek: { ...kek, keys: [...kek.keys, ...kek.keys] } }],
  ["a KEK for a device", { ...kekStatement, kek: sealKeys(vault, [{ key: makeKey("KEK"), devEui: device.devEui }]) }],
  ["a peer that speaks for nobody", { ...peer, network: undefined }],
  ["a certificate that is no fingerprint", { ...peer, certificate: "0f" }],
  ["a peer's URL in the clear", { ...peer, url: "http://acme.example/" }],
  ["a peer's URL that is none", { ...peer, url: "acme" }],
  ["a control character in a name", { ...peer, name: "a\u001b[2J" }],
  ["an unknown way for the AppSKey", { ...peer, appSKey: "by-mail" }],
  ["devices and a range", { ...ofDevices, joinEuis }],
  ["neither devices nor a range", { ...ofDevices, devices: undefined }],
  ["no devices", { ...ofDevices, devices: [] }],
  ["a device twice", { ...ofDevices, devices: twice(device) }],
  [
    "501 devices",
    { ...ofDevices, devices: Array.from({ length: 501 }, (_, i) => ({ ...device, devEui: `${1e15 + i}` })) },
  ],
  ["a device in capitals", { ...ofDevices, devices: [{ ...device, devEui: "00112233445566AA" }] }],
  ["a network alone", { ...ofDevices, asId: undefined }],
  ["an AS-ID alone", { ...ofDevices, network: undefined }],
  ["a range that ends before it begins", { ...ofRange, joinEuis: { first: joinEuis.last, last: joinEuis.first } }],
  ["another derivation", { ...ofMaster, kdf: "HKDF" }],
  ["an epoch over 32 bits", { ...ofMaster, epoch: 2 ** 32 }],
  ["half an octet of extra", { ...ofMaster, extra: "0" }],
  ["a KEK as master key", { ...ofMaster, key: kek }],
  ["a provisioner's key on P-384", { ...provisioner, publicKey: spki("p384") }],
  ["a provisioner's key of RSA", { ...provisioner, publicKey: published.publicKey }],
  ["a receiver that cannot receive", { ...exported, to: spki("p256") }],
  ["an array", [kekStatement]],
  ["null", null],
])("a signed statement with %s is refused, and is not signed either", (_, value) => {
  expect(verifyStatement(pinned, vault.fingerprint, signText(JSON.stringify(value)))).toEqual({
    result: "refused",
    code: "statement/malformed",
  });
  expect(() => signStatement(ownerKey, value as Statement)).toThrow(RangeError);
});

it.each([null, 1, "x", {}, { payload: 1, signature: "" }, { payload: "{}", signature: "?" }, signText("{")])(
  "%j is no signed statement",
  (value) => {
    expect(verifyStatement(pinned, vault.fingerprint, value)).toEqual({
      result: "refused",
      code: "statement/malformed",
    });
  },
);

it("500 devices fit in one statement", () => {
  const devices = Array.from({ length: 500 }, (_, i) => ({ ...device, devEui: i.toString(16).padStart(16, "0") }));
  const signed = signStatement(ownerKey, { ...ofDevices, devices });
  expect(verifyStatement(pinned, vault.fingerprint, signed).result).toBe("valid");
});

it("a row tells what stands in words, without the key", () => {
  expect(statementRow(good.kek)).toEqual({
    kind: "kek",
    subject: "network 000013",
    issuedAt: common.issuedAt,
    label: "ns/000013",
    network,
    usedFrom: 1_800_000_000_000,
  });
  expect(Object.values(good).map((statement) => statementRow(statement).subject)).toEqual([
    "network 000013",
    "AS-ID trefoil-as",
    "peer TTS of Acme",
    "peer x",
    "device 0011223344556677",
    "JoinEUIs 70b3d57ed0000000 to 70b3d57ed0ffffff",
    "JoinEUIs 70b3d57ed0000000 to 70b3d57ed0ffffff",
    "JoinEUIs 70b3d57ed0000000 to 70b3d57ed0ffffff",
    "provisioner maker",
    "provisioner maker",
    "device 0011223344556677",
  ]);
  expect(JSON.stringify(Object.values(good).map(statementRow))).not.toContain(kek.transport);
});

it("networks have one text each, and ranges both their ends", () => {
  expect(networkText({ netId: "000013" })).toBe("000013");
  expect(networkText({ netId: "000000", nsId: "0011223344556677" })).toBe("000000/0011223344556677");
  expect(
    ["70b3d57ecfffffff", joinEuis.first, "70b3d57ed00000aa", joinEuis.last, "70b3d57ed1000000"].map((eui) =>
      isInRange(joinEuis, eui),
    ),
  ).toEqual([false, true, true, true, false]);
});
