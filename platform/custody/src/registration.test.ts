import { createPublicKey, sign } from "node:crypto";
import type { Registration } from "@trefoil/wire";
import { expect, it } from "vitest";
import { makeKekSealedTo } from "./kek.ts";
import { makeKey } from "./key.ts";
import { makeSealingKeyPair, parseReceiver } from "./receiver.ts";
import {
  makeOwnerKey,
  openOwnerKey,
  parseOwnerPublicKey,
  signRegistration,
  verifyRegistration,
} from "./registration.ts";
import { sealKeys } from "./sealing.ts";

const vault = parseReceiver(makeSealingKeyPair().published.publicKey) ?? expect.unreachable();
const owner = makeOwnerKey("correct horse");
const ownerKey = openOwnerKey(owner.privateKeyPem, "correct horse") ?? expect.unreachable();
const pinned = parseOwnerPublicKey(owner.publicKey) ?? expect.unreachable();
const { sealed } = makeKekSealedTo(vault, "ns/000013");
const registration: Registration = {
  version: 1,
  kind: "kek",
  label: "ns/000013",
  netId: "000013",
  kek: sealed,
  issuedAt: 1_700_000_000_000,
};

it("the owner's private key lies encrypted, and opens with its passphrase alone", () => {
  expect(owner.privateKeyPem).toContain("BEGIN ENCRYPTED PRIVATE KEY");
  expect(openOwnerKey(owner.privateKeyPem, "wrong")).toBeUndefined();
  expect(createPublicKey(ownerKey).equals(pinned)).toBe(true);
});

it("what the owner signed is valid, and nobody else's signature is", () => {
  const signed = signRegistration(ownerKey, registration);
  expect(verifyRegistration(pinned, signed)).toEqual({ result: "valid", registration });
  const stranger = makeOwnerKey("x");
  const forged = signRegistration(openOwnerKey(stranger.privateKeyPem, "x") ?? expect.unreachable(), registration);
  expect(verifyRegistration(pinned, forged)).toEqual({ result: "refused", code: "registration/not-signed-by-owner" });
});

it("a signature over the same text for another purpose is refused", () => {
  const { payload } = signRegistration(ownerKey, registration);
  const signature = sign(null, Buffer.from(payload), ownerKey).toString("base64");
  expect(verifyRegistration(pinned, { payload, signature })).toEqual({
    result: "refused",
    code: "registration/not-signed-by-owner",
  });
});

it("any changed character is refused", () => {
  const { payload, signature } = signRegistration(ownerKey, registration);
  const moved = { payload: payload.replace("000013", "000014"), signature };
  expect(verifyRegistration(pinned, moved)).toEqual({ result: "refused", code: "registration/not-signed-by-owner" });
});

/** The owner is no fool-proof check: what is signed must also make sense. */
const signText = (value: unknown) => {
  const payload = typeof value === "string" ? value : JSON.stringify(value);
  return {
    payload,
    signature: sign(null, Buffer.from(`TREFOIL-REGISTRATION-1\0${payload}`), ownerKey).toString("base64"),
  };
};
it.each([
  ["both a NetID and an AS-ID", { ...registration, asId: "trefoil-as" }],
  ["neither NetID nor AS-ID", { ...registration, netId: undefined }],
  ["a NetID in capitals", { ...registration, netId: "00001A" }],
  ["no label", { ...registration, label: "" }],
  ["an unknown kind", { ...registration, kind: "any" }],
  ["no time", { ...registration, issuedAt: "now" }],
  ["another kind of key", { ...registration, kek: sealKeys(vault, [{ key: makeKey("AppKey") }]) }],
  ["two keys", { ...registration, kek: { ...sealed, keys: [...sealed.keys, ...sealed.keys] } }],
  [
    "a KEK for a device",
    { ...registration, kek: sealKeys(vault, [{ key: makeKey("KEK"), devEui: "0000000000000001" }]) },
  ],
  ["no JSON", "{"],
])("a signed registration with %s is refused", (_, value) => {
  expect(verifyRegistration(pinned, signText(value))).toEqual({ result: "refused", code: "registration/malformed" });
});

it.each([null, 1, {}, { payload: 1, signature: "" }, { payload: "{}", signature: "?" }])(
  "%j is no signed registration",
  (value) => {
    expect(verifyRegistration(pinned, value)).toEqual({ result: "refused", code: "registration/malformed" });
  },
);
