import { readFileSync } from "node:fs";
import { decodeSealingKey, makeSealingKeyPair, openSealed } from "@trefoil/custody";
import type { SealedKeys as WireSealedKeys } from "@trefoil/wire";
import fc from "fast-check";
import { expect, expectTypeOf, it } from "vitest";
import { showFingerprint } from "./fingerprint.ts";
import { parseReceiver } from "./receiver.ts";
import { keyLengths, type SealedRole } from "./roles.ts";
import { makeSealer, type SealedKeys, sealerWith, sealKeys } from "./sealing.ts";

type Row = { role: SealedRole; joinEui: string; devEui: string; key: string; wrappedBase64: string };
const vectors = JSON.parse(readFileSync(new URL("../../../vectors/sealed-key.json", import.meta.url), "utf8"));
const rows: readonly Row[] = vectors.keys;
const un = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
const privateKey = decodeSealingKey(Buffer.from(vectors.receiver.privateKeyPkcs8, "base64"));
const receiver = (await parseReceiver(vectors.receiver.publicKey)) ?? expect.unreachable();
const keyOf = ({ key, ...row }: Row) => ({ ...row, key: un(key) });

it("makes what wire calls SealedKeys", () => expectTypeOf<SealedKeys>().toEqualTypeOf<WireSealedKeys>());

it("names a receiver by the SHA-256 of its public key, and shows it in groups for the eye", () => {
  expect(receiver.fingerprint).toBe(vectors.receiver.fingerprint);
  expect(showFingerprint(receiver.fingerprint)).toMatch(/^c113 a946 (?:[0-9a-f]{4} ){13}a24b$/);
  expect(() => showFingerprint("c113")).toThrow(RangeError);
});

it.each(rows)("$role, $key.length digits: the wrapped key of the vectors (docs/sealed-key.md)", async (row) => {
  const transport = await crypto.subtle.importKey("raw", un(vectors.transportKey), "AES-CBC", true, ["encrypt"]);
  const { keys } = await (await sealerWith(receiver, transport)).seal([keyOf(row)]);
  expect(keys).toEqual([{ role: row.role, joinEui: row.joinEui, devEui: row.devEui, wrapped: row.wrappedBase64 }]);
});

it("the vectors have every role with every length", () => {
  const all = Object.entries(keyLengths).flatMap(([role, lengths]) => lengths.map((length) => `${role} ${length}`));
  expect(rows.map(({ role, key }) => `${role} ${key.length / 2}`).sort()).toEqual([...all].sort());
});

const eui = fc.uint8Array({ minLength: 8, maxLength: 8 }).map(hex);
const keyToSeal = fc.constantFrom(...(Object.keys(keyLengths) as SealedRole[])).chain((role) =>
  fc.constantFrom(...keyLengths[role]).chain((length) =>
    fc.record({
      role: fc.constant(role),
      joinEui: eui,
      devEui: eui,
      key: fc.uint8Array({ minLength: length, maxLength: length }),
    }),
  ),
);

it("any keys open in @trefoil/custody as what they were, for whom they were", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(keyToSeal, { minLength: 1, maxLength: 16 }), async (keys) => {
      const sealed = await sealKeys(
        receiver,
        keys.map((key) => ({ ...key, key: new Uint8Array(key.key) })),
      );
      const opened = openSealed(privateKey, JSON.parse(JSON.stringify(sealed)));
      if (opened.result !== "opened") return expect.unreachable(opened.code);
      expect(
        opened.keys.map(({ key, joinEui, devEui }) => ({ role: key.role, joinEui, devEui, key: key.expose(hex) })),
      ).toEqual(keys.map(({ key, ...rest }) => ({ ...rest, key: hex(key) })));
    }),
    { numRuns: 50 },
  );
});

it("one changed bit of the wrapped key, or of what it is for, is refused", async () => {
  const sealed = await sealKeys(receiver, rows.slice(0, 1).map(keyOf));
  const [key] = sealed.keys;
  if (!key) return expect.unreachable();
  const wrapped = Buffer.from(key.wrapped, "base64");
  const flipped = wrapped.map((octet, i) => (i === 11 ? octet ^ 1 : octet));
  const changes = [
    { wrapped: Buffer.from(flipped).toString("base64") },
    { role: "NwkKey" },
    { joinEui: "70b3d57ed0000002" },
    { devEui: "0011223344556678" },
  ];
  for (const change of changes) {
    const forged = { ...sealed, keys: [{ ...key, ...change }] };
    expect(openSealed(privateKey, forged)).toEqual({ result: "refused", code: "sealed/changed" });
  }
  expect(openSealed(privateKey, sealed).result).toBe("opened");
});

it("nobody else opens it, also not with the fingerprint changed to his own", async () => {
  const other = makeSealingKeyPair();
  const sealed = await sealKeys(receiver, rows.slice(0, 1).map(keyOf));
  expect(openSealed(other.privateKey, sealed)).toMatchObject({ code: "sealed/not-for-this-receiver" });
  expect(openSealed(other.privateKey, { ...sealed, to: other.published.fingerprint }).result).toBe("refused");
});

it("a sealer seals a batch under one transport key, and the next sealer under another", async () => {
  const sealer = await makeSealer(receiver);
  const [one, two] = await Promise.all([
    sealer.seal(rows.slice(0, 1).map(keyOf)),
    sealer.seal(rows.slice(1, 2).map(keyOf)),
  ]);
  expect(one.transport).toBe(two.transport);
  expect((await sealKeys(receiver, rows.slice(0, 1).map(keyOf))).transport).not.toBe(one.transport);
});

it.each([
  ["an unknown role", { role: "JSIntKey" }],
  ["a role of Object's prototype", { role: "constructor" }],
  ["an EUI in capitals", { devEui: "00112233445566AA" }],
  ["a short EUI", { joinEui: "70b3" }],
  ["a key of a length that its role has not", { key: new Uint8Array(24) }],
])("%s is not sealed", async (_, change) => {
  const key = { ...keyOf(rows[0] as Row), ...change } as never;
  await expect(sealKeys(receiver, [key])).rejects.toThrow(RangeError);
});

it("a message has 1 to 16 keys", async () => {
  await expect(sealKeys(receiver, [])).rejects.toThrow(RangeError);
  await expect(sealKeys(receiver, Array(17).fill(keyOf(rows[0] as Row)))).rejects.toThrow(RangeError);
});

const rsa = async (modulusLength: number) => {
  const algorithm = { name: "RSA-OAEP", hash: "SHA-1", modulusLength, publicExponent: Uint8Array.of(1, 0, 1) };
  const { publicKey } = await crypto.subtle.generateKey(algorithm, true, ["encrypt", "decrypt"]);
  return Buffer.from(await crypto.subtle.exportKey("spki", publicKey)).toString("base64");
};
it("takes RSA public keys of 3072 bits or more, written in the one way, and nothing else", async () => {
  const good: string = vectors.receiver.publicKey;
  const longer = Buffer.concat([Buffer.from(good, "base64"), Buffer.of(0)]).toString("base64");
  const ed25519 = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
  for (const text of [await rsa(2048), ed25519, longer, `${good} `, good.slice(0, -4), "", "!"])
    expect(await parseReceiver(text)).toBeUndefined();
  expect(await parseReceiver(await rsa(4096))).toBeDefined();
});

it("takes one string for one key: a receiver's fingerprint is that of the text that was read", async () => {
  const published = makeSealingKeyPair().published;
  expect((await parseReceiver(published.publicKey))?.fingerprint).toBe(published.fingerprint);
});
