/** Sealed keys, key envelopes, the realm owner's statements, and the port to the vault. No server's code. */
export * from "./assignments.ts";
export * from "./audit-log.ts";
export * from "./envelope.ts";
export * from "./kek.ts";
export { KekRing } from "./kek-file.ts";
export { isKeyRole, Key, type KeyRole, keyLengths, makeKey } from "./key.ts";
export { unwrapKey, wrapKey } from "./key-wrap.ts";
export * from "./networks.ts";
export { isEui, noEui, parseBase64, parseHex, secretOctets, takeSecret, toBase64, toHex } from "./octets.ts";
export { makeOpener, type Opened, type OpenedKey, type Opener, openSealed, parseSealedKeys } from "./opening.ts";
export * from "./owner.ts";
export * from "./pipe.ts";
export * from "./provision.ts";
export * from "./receiver.ts";
export * from "./record.ts";
export {
  deriveSealingKey,
  type KeyToSeal,
  makeSealer,
  oaep,
  type Sealer,
  sealedVersion,
  sealingContext,
  sealKeys,
  transportOctets,
} from "./sealing.ts";
export * from "./statement.ts";
export { isNetwork, parseStatement, statementRow, subjectText } from "./statement-kinds.ts";
export * from "./vault-client.ts";
export * from "./vault-pool.ts";
export * from "./vault-port.ts";
