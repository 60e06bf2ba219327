/** Plays a maker's factory for inside-hsm.test.ts: makes device keys and a provisioner's key in the token "factory". */
import pkcs11js from "pkcs11js";

const [module, pin, text] = process.argv.slice(2);
const token = new pkcs11js.PKCS11();
token.load(module);
token.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK });
const slot = token.C_GetSlotList(true).find((one) => token.C_GetTokenInfo(one).label.trim() === "factory");
const session = token.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION);
token.C_Login(session, pkcs11js.CKU_USER, pin);

const attributes = (wanted) =>
  Object.entries(wanted).map(([name, value]) => ({ type: pkcs11js[`CKA_${name}`], value }));
const macs = {};
for (const label of ["AppKey 0011223344556677", "NwkKey 0011223344556688", "AppKey 0011223344556688"]) {
  const wanted = { CLASS: pkcs11js.CKO_SECRET_KEY, KEY_TYPE: pkcs11js.CKK_AES, VALUE_LEN: 16, LABEL: label };
  const key = token.C_GenerateKey(
    session,
    { mechanism: pkcs11js.CKM_AES_KEY_GEN },
    attributes({ ...wanted, TOKEN: true, PRIVATE: true, SENSITIVE: true, EXTRACTABLE: true, SIGN: true }),
  );
  if (canRead(key)) throw new Error("a sensitive key was read");
  token.C_SignInit(session, { mechanism: pkcs11js.CKM_AES_CMAC }, key);
  macs[label] = token.C_Sign(session, Buffer.from(text), Buffer.alloc(16)).toString("hex");
}
const p256 = Buffer.from("06082a8648ce3d030107", "hex");
token.C_GenerateKeyPair(
  session,
  { mechanism: pkcs11js.CKM_EC_KEY_PAIR_GEN },
  attributes({ TOKEN: true, LABEL: "line-1", EC_PARAMS: p256, VERIFY: true }),
  attributes({ TOKEN: true, PRIVATE: true, SENSITIVE: true, EXTRACTABLE: false, LABEL: "line-1", SIGN: true }),
);
token.C_Finalize();
process.stdout.write(JSON.stringify(macs));

function canRead(key) {
  try {
    token.C_GetAttributeValue(session, key, [{ type: pkcs11js.CKA_VALUE }]);
    return true;
  } catch {
    return false;
  }
}
