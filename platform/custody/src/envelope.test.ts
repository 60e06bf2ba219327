import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { openEnvelope, wrapEnvelope } from "./envelope.ts";
import { decodeKekFile, encodeKekFile, makeKekSealedTo } from "./kek.ts";
import { Key, makeKey } from "./key.ts";
import { unwrapKey, wrapKey } from "./key-wrap.ts";
import { openSealed } from "./opening.ts";
import { makeSealingKeyPair, parseReceiver } from "./receiver.ts";

const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
const un = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

const published: {
  vectors: {
    id: string;
    kind: string;
    name: string;
    inputs: { key: string; kek: string };
    expected: { wrapped: string };
  }[];
} = JSON.parse(readFileSync(new URL("../../../vectors/published.json", import.meta.url), "utf8"));
it.each(published.vectors.filter(({ kind }) => kind === "kek-wrap"))(
  "published vector $id: $name",
  ({ inputs, expected }) => {
    expect(hex(wrapKey(un(inputs.kek), un(inputs.key)))).toBe(expected.wrapped);
    expect(hex(unwrapKey(un(inputs.kek), un(expected.wrapped)) ?? new Uint8Array())).toBe(inputs.key);
  },
);

const kek = { label: "ns/000013", key: new Key("KEK", un("000102030405060708090a0b0c0d0e0f")) };
const session = new Key("AppSKey", un("00112233445566778899aabbccddeeff"));
const envelope = wrapEnvelope(kek, session);

it("an envelope is the key under RFC 3394, with the KEK's label (TS002 KeyEnvelope)", () => {
  expect(envelope).toEqual({ kekLabel: "ns/000013", aesKey: "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5" });
  const opened = openEnvelope(kek, envelope, "AppSKey");
  expect(opened.result === "opened" && opened.key.expose(hex)).toBe("00112233445566778899aabbccddeeff");
  expect(opened.result === "opened" && opened.key.role).toBe("AppSKey");
});

it.each([
  ["no label and the key in the clear", { aesKey: "00112233445566778899aabbccddeeff" }, "envelope/no-label"],
  ["no label", { aesKey: envelope.aesKey }, "envelope/no-label"],
  ["an empty label", { ...envelope, kekLabel: "" }, "envelope/no-label"],
  ["a label that no KEK has", { ...envelope, kekLabel: "ns/000014" }, "envelope/unknown-label"],
  ["16 octets in the clear", { ...envelope, aesKey: "00112233445566778899aabbccddeeff" }, "envelope/malformed"],
  ["no hexadecimal", { ...envelope, aesKey: "zz".repeat(24) }, "envelope/malformed"],
  ["a changed octet", { ...envelope, aesKey: `00${envelope.aesKey.slice(2)}` }, "envelope/wrong-kek"],
  ["nothing", null, "envelope/no-label"],
])("an envelope with %s is not opened", (_, value, code) => {
  expect(openEnvelope(kek, value, "AppSKey")).toEqual({ result: "refused", code });
});

it("nothing is wrapped under a KEK without a label", () => {
  for (const label of ["", " ", "a b", "ü"])
    expect(() => wrapEnvelope({ label, key: kek.key }, session)).toThrow(/label/);
});

it("while a KEK is being replaced, both labels open", () => {
  const next = { label: "ns/000013/2", key: makeKey("KEK", 32) };
  for (const from of [kek, next])
    expect(openEnvelope([kek, next], wrapEnvelope(from, session), "AppSKey").result).toBe("opened");
});

it("a KEK of 256 bits is born at its receiver, opens only in the vault, and survives its file", () => {
  const vault = makeSealingKeyPair();
  const made = makeKekSealedTo(parseReceiver(vault.published.publicKey) ?? expect.unreachable(), "as/trefoil-as");
  const opened = openSealed(vault.privateKey, made.sealed);
  const atVault = opened.result === "opened" ? opened.keys[0]?.key.expose(hex) : undefined;
  expect(atVault).toHaveLength(64);
  const read = decodeKekFile(encodeKekFile(made.kek));
  expect(read?.label).toBe("as/trefoil-as");
  expect(read?.key.expose(hex)).toBe(atVault);
});

it("a damaged KEK file is refused", () => {
  const file = encodeKekFile(kek);
  for (const bad of [file.slice(1), file.slice(0, -1), file.slice(0, 14), new Uint8Array(0)])
    expect(decodeKekFile(bad)).toBeUndefined();
});
