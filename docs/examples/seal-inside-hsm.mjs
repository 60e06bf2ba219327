/**
 * Seals root keys that a PKCS #11 token holds to the vault of a Join Server, without their ever leaving the token in the clear, and signs
 * as a provisioner (docs/sealed-key.md, "Inside another HSM"). Needs Node 20 or newer and `npm install pkcs11js`; nothing of Trefoil.
 *
 *   node seal-inside-hsm.mjs --module /usr/lib/softhsm/libsofthsm2.so --token factory --pin-file pin \
 *     --vault vault.txt --devices devices.csv --provisioner line-1 > sealed.json
 *
 * vault.txt: the vault's public key, SubjectPublicKeyInfo in base64. Compare the fingerprint that is printed with what the owner reads out.
 * devices.csv: a line "DevEUI;JoinEUI;version" for each device. Its keys are in the token as AES keys that are sensitive, extractable
 * and called "<role> <DevEUI>": AppKey, and for 1.1 NwkKey too. Provisioner: label of an EC key pair on P-256 in the token.
 * Takes less than a second for a thousand devices in software, and what the token takes.
 */
import { createHash, createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import pkcs11js from "pkcs11js";

const { values: given } = parseArgs({
  options: Object.fromEntries(
    ["module", "token", "pin-file", "vault", "devices", "provisioner"].map((name) => [name, { type: "string" }]),
  ),
});
for (const name of ["module", "token", "pin-file", "vault", "devices"]) {
  if (given[name] === undefined) throw new Error(`--${name} is needed`);
}

const spki = Buffer.from(readFileSync(given.vault, "utf8").trim(), "base64");
const fingerprint = createHash("sha256").update(spki).digest();
process.stderr.write(`sealing to ${fingerprint.toString("hex").match(/.{4}/g).join(" ")}\n`);

const token = new pkcs11js.PKCS11();
token.load(given.module);
token.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK });
try {
  const session = openSession();
  const transport = makeTransport(session);
  const devices = readFileSync(given.devices, "utf8")
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .map((line) => line.split(";").map((cell) => cell.trim()))
    .map(([devEui, joinEui, macVersion]) => sealDevice(session, transport, devEui, joinEui, macVersion));
  process.stdout.write(`${JSON.stringify({ format: "trefoil-export-1", devices }, null, 1)}\n`);
} finally {
  token.C_Finalize();
}

function openSession() {
  const slot = token
    .C_GetSlotList(true)
    .find((candidate) => token.C_GetTokenInfo(candidate).label.trim() === given.token);
  if (!slot) throw new Error(`there is no token called ${given.token}`);
  const session = token.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION);
  token.C_Login(session, pkcs11js.CKU_USER, readFileSync(given["pin-file"], "utf8").trim());
  return session;
}

/** T, made in the token, and the same encrypted to the vault. One for the whole batch: the vault pays for one RSA operation. */
function makeTransport(session) {
  const key = token.C_GenerateKey(session, { mechanism: pkcs11js.CKM_AES_KEY_GEN }, [
    ...secretKey(32),
    { type: pkcs11js.CKA_DERIVE, value: true },
    { type: pkcs11js.CKA_EXTRACTABLE, value: true },
  ]);
  const { n, e } = createPublicKey({ key: spki, format: "der", type: "spki" }).export({ format: "jwk" });
  const vault = token.C_CreateObject(session, [
    { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PUBLIC_KEY },
    { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_RSA },
    { type: pkcs11js.CKA_TOKEN, value: false },
    { type: pkcs11js.CKA_WRAP, value: true },
    { type: pkcs11js.CKA_MODULUS, value: Buffer.from(n, "base64url") },
    { type: pkcs11js.CKA_PUBLIC_EXPONENT, value: Buffer.from(e, "base64url") },
  ]);
  const parameter = {
    type: pkcs11js.CK_PARAMS_RSA_OAEP,
    hashAlg: pkcs11js.CKM_SHA_1,
    mgf: pkcs11js.CKG_MGF1_SHA1,
    source: 1, // CKZ_DATA_SPECIFIED, and no data: the empty label
  };
  const mechanism = { mechanism: pkcs11js.CKM_RSA_PKCS_OAEP, parameter };
  const octets = token.C_WrapKey(session, mechanism, vault, key, Buffer.alloc(1024));
  return { key, ciphertext: octets.toString("base64") };
}

function sealDevice(session, transport, devEui, joinEui, macVersion) {
  const roles = macVersion.startsWith("1.1") ? ["NwkKey", "AppKey"] : ["AppKey"];
  const keys = roles.map((role) => {
    const context = createHash("sha256")
      .update(Buffer.concat([Buffer.of(1), Buffer.from(`${role}\0`, "ascii")]))
      .update(Buffer.from(joinEui + devEui, "hex"))
      .update(fingerprint)
      .digest();
    const parameter = { type: pkcs11js.CK_PARAMS_AES_CBC, iv: Buffer.alloc(16), data: context };
    const derive = { mechanism: pkcs11js.CKM_AES_CBC_ENCRYPT_DATA, parameter };
    const kt = token.C_DeriveKey(session, derive, transport.key, [
      ...secretKey(32),
      { type: pkcs11js.CKA_WRAP, value: true },
      { type: pkcs11js.CKA_EXTRACTABLE, value: false },
    ]);
    const key = find(session, pkcs11js.CKO_SECRET_KEY, `${role} ${devEui}`);
    const octets = token.C_WrapKey(session, { mechanism: pkcs11js.CKM_AES_KEY_WRAP }, kt, key, Buffer.alloc(24));
    token.C_DestroyObject(session, kt);
    return { role, joinEui, devEui, wrapped: octets.toString("base64") };
  });
  const sealed = { version: 1, to: fingerprint.toString("hex"), transport: transport.ciphertext, keys };
  return {
    devEui,
    joinEui,
    macVersion,
    sealed,
    ...(given.provisioner ? { provision: signature(session, sealed) } : {}),
  };
}

/** "TREFOIL-PROVISION-1\0" ‖ SHA-256 of the sealed keys, as they stand in the JSON without white space. */
function signature(session, sealed) {
  const text = Buffer.concat([
    Buffer.from("TREFOIL-PROVISION-1\0", "ascii"),
    createHash("sha256").update(JSON.stringify(sealed), "utf8").digest(),
  ]);
  // Tokens sign a digest with CKM_ECDSA, and answer with r ‖ s.
  token.C_SignInit(
    session,
    { mechanism: pkcs11js.CKM_ECDSA },
    find(session, pkcs11js.CKO_PRIVATE_KEY, given.provisioner),
  );
  const octets = token.C_Sign(session, createHash("sha256").update(text).digest(), Buffer.alloc(64));
  return { publicKey: provisionerKey(session).toString("base64"), signature: octets.toString("base64") };
}

/** SubjectPublicKeyInfo of a P-256 key: what is the same for all of them, and the point. */
function provisionerKey(session) {
  const handle = find(session, pkcs11js.CKO_PUBLIC_KEY, given.provisioner);
  const [{ value }] = token.C_GetAttributeValue(session, handle, [{ type: pkcs11js.CKA_EC_POINT }]);
  const point = value.subarray(-65); // some tokens put an OCTET STRING around it
  return Buffer.concat([Buffer.from("3059301306072a8648ce3d020106082a8648ce3d030107034200", "hex"), point]);
}

function find(session, type, label) {
  token.C_FindObjectsInit(session, [
    { type: pkcs11js.CKA_CLASS, value: type },
    { type: pkcs11js.CKA_LABEL, value: label },
  ]);
  const found = token.C_FindObjects(session, 2);
  token.C_FindObjectsFinal(session);
  if (found.length !== 1)
    throw new Error(`the token has ${found.length === 0 ? "no" : "several"} keys called ${label}`);
  return found[0];
}

/** An AES key of the session, of which nothing is allowed that is not said. */
function secretKey(length) {
  const no = ["SIGN", "VERIFY", "ENCRYPT", "DECRYPT", "UNWRAP"];
  return [
    { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
    { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_AES },
    { type: pkcs11js.CKA_VALUE_LEN, value: length },
    { type: pkcs11js.CKA_TOKEN, value: false },
    { type: pkcs11js.CKA_SENSITIVE, value: true },
    ...no.map((name) => ({ type: pkcs11js[`CKA_${name}`], value: false })),
  ];
}
