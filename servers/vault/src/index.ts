/** The vault: every operation with a root key, master key, storage key or KEK. Others meet it on the pipe (@trefoil/custody has the port). */
export type { InitOrder } from "./init.ts";
export { vault } from "./vault.ts";
export { type InitVault, initVault } from "./vault-file.ts";
