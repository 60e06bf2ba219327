import { readFileSync } from "node:fs";
import { aeskw, cbc } from "@noble/ciphers/aes.js";
import { expect, it, vi } from "vitest";
import { Key, type KeyRole } from "./key.ts";
import { makeOpener, openSealed } from "./opening.ts";
import { decodeSealingKey, makeSealingKeyPair, parseReceiver, publishReceiver } from "./receiver.ts";
import { deriveSealingKey, makeSealer, sealingContext, sealKeys } from "./sealing.ts";

vi.mock("node:crypto", { spy: true });
const { privateDecrypt } = await import("node:crypto");

type Row = {
  role: KeyRole;
  joinEui: string;
  devEui: string;
  key: string;
  context: string;
  kt: string;
  wrapped: string;
  wrappedBase64: string;
};
const vectors = JSON.parse(readFileSync(new URL("../../../vectors/sealed-key.json", import.meta.url), "utf8"));
const rows: readonly Row[] = vectors.keys;
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
const un = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
const privateKey = decodeSealingKey(Buffer.from(vectors.receiver.privateKeyPkcs8, "base64"));
const receiver = parseReceiver(vectors.receiver.publicKey) ?? expect.unreachable();
const sealedOf = (row: Row) => ({
  version: 1 as const,
  to: vectors.receiver.fingerprint as string,
  transport: vectors.transport as string,
  keys: [{ role: row.role as string, joinEui: row.joinEui, devEui: row.devEui, wrapped: row.wrappedBase64 }],
});
const [appKey, nwkKey] = rows.map(sealedOf);

it.each(rows)("$role: context, KT and wrapped key as OpenSSL's command line makes them (docs/sealed-key.md)", (row) => {
  const context = sealingContext(row, receiver.fingerprint);
  expect(hex(context)).toBe(row.context);
  expect(hex(deriveSealingKey(un(vectors.transportKey), context))).toBe(row.kt);
  using sealer = makeSealer(receiver, un(vectors.transportKey));
  const sealed = sealer.seal([{ key: new Key(row.role, un(row.key)), joinEui: row.joinEui, devEui: row.devEui }]);
  expect(sealed.keys[0]).toEqual(sealedOf(row).keys[0]);
});

it.each(rows)("$role: a second opinion of @noble/ciphers gives the same KT and wrapped key", (row) => {
  const kt = cbc(un(vectors.transportKey), new Uint8Array(16), { disablePadding: true }).encrypt(un(row.context));
  expect(hex(kt)).toBe(row.kt);
  expect(hex(aeskw(kt).encrypt(un(row.key)))).toBe(row.wrapped);
});

it.each(rows)("$role: what OpenSSL's command line sealed opens", (row) => {
  const opened = openSealed(privateKey, sealedOf(row));
  if (opened.result !== "opened") return expect.unreachable(opened.code);
  expect(opened.keys).toMatchObject([{ joinEui: row.joinEui, devEui: row.devEui, key: { role: row.role } }]);
  expect(opened.keys[0]?.key.expose(hex)).toBe(row.key);
});

it("what was sealed opens at its receiver, for its role and EUIs", () => {
  const key = new Key("NwkKey", un("ffeeddccbbaa99887766554433221100"));
  const sealed = sealKeys(receiver, [{ key, joinEui: "70b3d57ed0000001", devEui: "0000000000000042" }]);
  const opened = openSealed(privateKey, JSON.parse(JSON.stringify(sealed)));
  expect(opened).toMatchObject({ result: "opened", keys: [{ devEui: "0000000000000042" }] });
  if (opened.result === "opened") expect(opened.keys[0]?.key.expose(hex)).toBe("ffeeddccbbaa99887766554433221100");
});

const changed = (change: { readonly [field: string]: string }) => ({
  ...appKey,
  keys: [{ ...appKey?.keys[0], ...change }],
});
it.each([
  ["another role", changed({ role: "NwkKey" }), "sealed/changed"],
  ["another DevEUI", changed({ devEui: "0011223344556678" }), "sealed/changed"],
  ["another JoinEUI", changed({ joinEui: "70b3d57ed0000002" }), "sealed/changed"],
  ["another key's wrapping", changed({ wrapped: nwkKey?.keys[0]?.wrapped ?? "" }), "sealed/changed"],
  ["another receiver's name", { ...appKey, to: "00".repeat(32) }, "sealed/not-for-this-receiver"],
  [
    "a transport that is not for this key",
    { ...appKey, transport: Buffer.alloc(384, 1).toString("base64") },
    "sealed/transport",
  ],
  ["a later version", { ...appKey, version: 2 }, "sealed/malformed"],
  ["an unknown role", changed({ role: "Any" }), "sealed/malformed"],
  ["a role of Object's prototype", changed({ role: "constructor" }), "sealed/malformed"],
  ["an EUI in capitals", changed({ devEui: "00112233445566AA" }), "sealed/malformed"],
  ["loose base64", changed({ wrapped: `${appKey?.keys[0]?.wrapped} ` }), "sealed/malformed"],
  ["a key of a length that its role has not", changed({ wrapped: rows[3]?.wrappedBase64 ?? "" }), "sealed/malformed"],
  ["no keys", { ...appKey, keys: [] }, "sealed/malformed"],
  ["nothing", undefined, "sealed/malformed"],
])("a sealed key with %s is refused", (_, sealed, code) => {
  expect(openSealed(privateKey, sealed)).toEqual({ result: "refused", code });
});

it("sealed to one receiver and renamed for another is refused: the fingerprint is part of the derivation", () => {
  const other = makeSealingKeyPair();
  const published = parseReceiver(other.published.publicKey) ?? expect.unreachable();
  const key = new Key("AppKey", un("00".repeat(16)));
  const transport = un(vectors.transportKey);
  // The same T, encrypted to the first receiver, with keys that were wrapped for the second.
  const wrappedForOther = makeSealer(published, transport.slice()).seal([{ key }]);
  const forged = { ...makeSealer(receiver, transport.slice()).seal([{ key }]), keys: wrappedForOther.keys };
  expect(openSealed(privateKey, forged)).toEqual({ result: "refused", code: "sealed/changed" });
});

it("a batch of devices under one transport key costs one RSA operation", () => {
  const key = new Key("AppKey", un("0f".repeat(16)));
  using sealer = makeSealer(receiver);
  const opener = makeOpener(privateKey);
  vi.mocked(privateDecrypt).mockClear();
  for (let device = 0; device < 1_000; device += 1) {
    const sealed = sealer.seal([{ key, devEui: device.toString(16).padStart(16, "0") }]);
    if (opener.open(sealed).result !== "opened") expect.unreachable(`device ${device}`);
  }
  expect(privateDecrypt).toHaveBeenCalledTimes(1);
});

it("remembers no more transport keys than it was told to, and still opens the forgotten ones", () => {
  const key = new Key("AppKey", un("0f".repeat(16)));
  const sealed = [1, 2, 3].map(() => sealKeys(receiver, [{ key }]));
  const opener = makeOpener(privateKey, 2);
  vi.mocked(privateDecrypt).mockClear();
  for (const one of [...sealed, sealed[2], sealed[1], sealed[0]]) expect(opener.open(one).result).toBe("opened");
  expect(privateDecrypt).toHaveBeenCalledTimes(4);
});

it("takes RSA keys of 3072 bits or more as receivers, and nothing else", () => {
  vi.mocked(privateDecrypt).mockClear();
  expect(parseReceiver(publishReceiver(privateKey).publicKey)?.fingerprint).toBe(vectors.receiver.fingerprint);
  const ed25519 = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
  const rsa1024 =
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDh9hvRdOzzbhh3d5xXUjRvmBvK3iPhOOaBMNu9sGTVqRwtx7tG5HfeLmyMhdgLHkvFzPqsZhRkh1RyTgEXtYZ9FRhE0dxQ1y8ZfjFWSSYpKpcAmNJ1pGBRi7u9Yt6w8Ez0nyKQ1x0gFkcB3G8qQm6s3zWtIrQFOzaB5pRzHKT2FQIDAQAB";
  for (const text of [ed25519, rsa1024, "", "!", undefined, 7]) expect(parseReceiver(text)).toBeUndefined();
});
