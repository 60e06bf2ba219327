import { createHash, generateKeyPairSync, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { makeKey } from "./key.ts";
import { canonicalSealedKeys, isProvisionOf, provisionText, signProvision } from "./provision.ts";
import { makeSealingKeyPair, parseReceiver } from "./receiver.ts";
import { sealKeys } from "./sealing.ts";

const receiver = parseReceiver(makeSealingKeyPair().published.publicKey) ?? expect.unreachable();
const euis = { joinEui: "70b3d57ed0000001", devEui: "0011223344556677" };
const sealed = sealKeys(receiver, [
  { key: makeKey("AppKey"), ...euis },
  { key: makeKey("NwkKey"), ...euis },
]);
const ed25519 = generateKeyPairSync("ed25519").privateKey;
const p256 = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;

it("what is signed is one exact text: the members in this order, without white space (docs/sealed-key.md)", () => {
  const rows = sealed.keys.map(
    ({ role, wrapped }) =>
      `{"role":"${role}","joinEui":"70b3d57ed0000001","devEui":"0011223344556677","wrapped":"${wrapped}"}`,
  );
  const text = `{"version":1,"to":"${sealed.to}","transport":"${sealed.transport}","keys":[${rows.join(",")}]}`;
  expect(canonicalSealedKeys(sealed)).toBe(text);
  const shuffled = JSON.parse(
    JSON.stringify({ keys: sealed.keys, transport: sealed.transport, more: 1, to: sealed.to, version: 1 }),
  );
  expect(canonicalSealedKeys(shuffled)).toBe(text);
  const expected = Buffer.concat([Buffer.from("TREFOIL-PROVISION-1\0"), createHash("sha256").update(text).digest()]);
  expect(Buffer.from(provisionText(sealed))).toEqual(expected);
  expect(expected.length).toBe(52);
});

it.each([
  ["Ed25519", ed25519],
  ["P-256", p256],
])("%s: the signer's own signature is good, for exactly these sealed keys", (_, key) => {
  const provision = signProvision(key, sealed);
  expect(isProvisionOf(sealed, JSON.parse(JSON.stringify(provision)))).toBe(true);
  const [first, second] = sealed.keys;
  if (first === undefined || second === undefined) return expect.unreachable();
  const changes = [
    { ...sealed, to: "00".repeat(32) },
    { ...sealed, transport: sealed.transport.replace(/^./, (c) => (c === "A" ? "B" : "A")) },
    { ...sealed, keys: [second, first] },
    { ...sealed, keys: [first] },
    { ...sealed, keys: [{ ...first, devEui: "0011223344556678" }, second] },
    { ...sealed, keys: [{ ...first, role: "GenAppKey" }, second] },
  ];
  for (const changed of changes) expect(isProvisionOf(changed, provision)).toBe(false);
});

it("P-256 signatures are r ‖ s, as tokens make them, and verify with Node alone", () => {
  const { signature } = signProvision(p256, sealed);
  const octets = Buffer.from(signature, "base64");
  expect(octets.length).toBe(64);
  expect(verify("sha256", provisionText(sealed), { key: p256, dsaEncoding: "ieee-p1363" }, octets)).toBe(true);
});

const vectors = JSON.parse(readFileSync(new URL("../../../vectors/sealed-key.json", import.meta.url), "utf8"));
type Vector = { readonly algorithm: string; readonly publicKey: string; readonly signature: string };
it.each<Vector>(vectors.provision.signatures)(
  "vector of OpenSSL's command line, $algorithm",
  ({ publicKey, signature }) => {
    const { canonical, text } = vectors.provision;
    const message = JSON.parse(canonical);
    expect(canonicalSealedKeys(message)).toBe(canonical);
    expect(Buffer.from(provisionText(message)).toString("hex")).toBe(text);
    expect(isProvisionOf(message, { publicKey, signature })).toBe(true);
  },
);

it("a signature for another purpose, in another form, or by another kind of key is none", () => {
  const provision = signProvision(ed25519, sealed);
  const of = (octets: Buffer) => ({ ...provision, signature: octets.toString("base64") });
  expect(isProvisionOf(sealed, of(sign(null, Buffer.from(canonicalSealedKeys(sealed)), ed25519)))).toBe(false);
  expect(isProvisionOf(sealed, of(sign("sha256", provisionText(sealed), p256)))).toBe(false); // DER
  for (const signature of ["", "?", `${provision.signature} `])
    expect(isProvisionOf(sealed, { ...provision, signature })).toBe(false);
  expect(isProvisionOf(sealed, { ...provision, publicKey: "" })).toBe(false);
  const p384 = generateKeyPairSync("ec", { namedCurve: "secp384r1" }).privateKey;
  expect(() => signProvision(p384, sealed)).toThrow(RangeError);
});
