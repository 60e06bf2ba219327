/** The vault: every operation with a root key, storage key or KEK. Others meet it on the pipe (@trefoil/custody has the port). */
export { vault } from "./vault.ts";
export { type InitVault, initVault } from "./vault-file.ts";
