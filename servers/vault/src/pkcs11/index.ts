/**
 * The PKCS #11 engine, for the rest of the vault.
 *
 * `loadAddOn` before the drop of rights (where process.permission?.has("addon")), `openPkcs11({ dataDir, pkcs11 })` after it,
 * `initPkcs11({ dataDir, ownerPublicKey, pkcs11 })` in the initialisation's process. All are synchronous.
 */
export { type InitPkcs11, initPkcs11, type Pkcs11Options } from "./init.ts";
export { loadAddOn } from "./module.ts";
export type { TokenKey } from "./objects.ts";
export { type OpenPkcs11, openPkcs11, type Pkcs11Token } from "./token.ts";
