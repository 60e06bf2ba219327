/** Seals keys wherever there is WebCrypto: in a web page, Deno or Node. Format: docs/sealed-key.md. Nothing but WebCrypto is used. */
export { showFingerprint } from "./fingerprint.ts";
export { parseReceiver, type Receiver } from "./receiver.ts";
export { isSealedRole, keyLengths, type SealedRole } from "./roles.ts";
export { type KeyToSeal, makeSealer, type SealedKey, type SealedKeys, type Sealer, sealKeys } from "./sealing.ts";
