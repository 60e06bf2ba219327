/**
 * Keys from keys: one AES block each (LoRaWAN 1.1 §6.1.1, §6.2.5; TS001-1.0.4 §6.2.5).
 *   1.0.x  01/02 ‖ JoinNonce3 ‖ NetID3 ‖ DevNonce2 ‖ 0…      under AppKey
 *   1.1    01…04 ‖ JoinNonce3 ‖ JoinEUI8 ‖ DevNonce2 ‖ 0…    under NwkKey, 02 (AppSKey) under AppKey
 *   JS     05/06 ‖ DevEUI8 ‖ 0…                              under NwkKey
 * After a rejoin, RJcount stands where DevNonce is.
 */
import { type DevAddr, type DevEui, type JoinEui, type NetId, writeIdentifier } from "../octets/identifiers.ts";
import { writeUint } from "../octets/wire.ts";
import { KeySchedule, secretOctets } from "./key-schedule.ts";

/** E(key, prefix ‖ fill ‖ 0…). The result lies outside the moving heap and is the caller's to wipe. */
function derive(key: KeySchedule, prefix: number, fill?: (block: Uint8Array) => void): Uint8Array {
  const block = secretOctets(16);
  block[0] = prefix;
  fill?.(block);
  key.encryptBlock(block, 0, block, 0);
  return block;
}

/** Runs `use` with a schedule that is wiped afterwards. */
function withKey<T>(key: Uint8Array, use: (schedule: KeySchedule) => T): T {
  const schedule = new KeySchedule(key);
  try {
    return use(schedule);
  } finally {
    schedule.wipe();
  }
}

export type SessionKeys10 = { readonly nwkSKey: Uint8Array; readonly appSKey: Uint8Array };

/** Session keys of 1.0.x. A 1.1 device on a 1.0.x network (OptNeg 0) gives its NwkKey as `appKey`. */
export const deriveSessionKeys10 = (
  appKey: Uint8Array,
  joinNonce: number,
  netId: NetId,
  devNonce: number,
): SessionKeys10 =>
  withKey(appKey, (schedule) => {
    const context = (block: Uint8Array) => {
      writeUint(block, 1, 3, joinNonce);
      writeIdentifier(block, 4, netId);
      writeUint(block, 7, 2, devNonce);
    };
    return { nwkSKey: derive(schedule, 0x01, context), appSKey: derive(schedule, 0x02, context) };
  });

export type NetworkSessionKeys11 = {
  readonly fNwkSIntKey: Uint8Array;
  readonly sNwkSIntKey: Uint8Array;
  readonly nwkSEncKey: Uint8Array;
};
export type SessionKeys11 = NetworkSessionKeys11 & { readonly appSKey: Uint8Array };

const context11 = (joinNonce: number, joinEui: JoinEui, nonce: number) => (block: Uint8Array) => {
  writeUint(block, 1, 3, joinNonce);
  writeIdentifier(block, 4, joinEui);
  writeUint(block, 12, 2, nonce);
};

/** Session keys of 1.1. `nonce` is the DevNonce of the join-request or the RJcount of the rejoin-request. */
export function deriveSessionKeys11(
  nwkKey: Uint8Array,
  appKey: Uint8Array,
  joinNonce: number,
  joinEui: JoinEui,
  nonce: number,
): SessionKeys11 {
  const context = context11(joinNonce, joinEui, nonce);
  const appSKey = withKey(appKey, (schedule) => derive(schedule, 0x02, context));
  return withKey(nwkKey, (schedule) => ({
    fNwkSIntKey: derive(schedule, 0x01, context),
    appSKey,
    sNwkSIntKey: derive(schedule, 0x03, context),
    nwkSEncKey: derive(schedule, 0x04, context),
  }));
}

const ofDevEui = (devEui: DevEui) => (block: Uint8Array) => writeIdentifier(block, 1, devEui);

/** Encrypts join-accepts that answer a rejoin-request. */
export const deriveJsEncKey = (nwkKey: Uint8Array, devEui: DevEui): Uint8Array =>
  withKey(nwkKey, (schedule) => derive(schedule, 0x05, ofDevEui(devEui)));
/** MIC of rejoin-requests type 1 and of every join-accept of 1.1. */
export const deriveJsIntKey = (nwkKey: Uint8Array, devEui: DevEui): Uint8Array =>
  withKey(nwkKey, (schedule) => derive(schedule, 0x06, ofDevEui(devEui)));

// TS005 §4: remote multicast setup.

/** McRootKey of a 1.0.x device, from its GenAppKey. */
export const deriveMcRootKey10 = (genAppKey: Uint8Array): Uint8Array =>
  withKey(genAppKey, (schedule) => derive(schedule, 0x00));
/** McRootKey of a 1.1 device, from its AppKey. */
export const deriveMcRootKey11 = (appKey: Uint8Array): Uint8Array =>
  withKey(appKey, (schedule) => derive(schedule, 0x20));
export const deriveMcKEKey = (mcRootKey: Uint8Array): Uint8Array =>
  withKey(mcRootKey, (schedule) => derive(schedule, 0x00));

const ofDevAddr = (devAddr: DevAddr) => (block: Uint8Array) => writeIdentifier(block, 1, devAddr);
export type McSessionKeys = { readonly mcAppSKey: Uint8Array; readonly mcNwkSKey: Uint8Array };
export const deriveMcSessionKeys = (mcKey: Uint8Array, mcAddr: DevAddr): McSessionKeys =>
  withKey(mcKey, (schedule) => ({
    mcAppSKey: derive(schedule, 0x01, ofDevAddr(mcAddr)),
    mcNwkSKey: derive(schedule, 0x02, ofDevAddr(mcAddr)),
  }));

// TS011 §: relay.

/** RootWorSKey, from NwkSEncKey (1.1) or NwkSKey (1.0.x). */
export const deriveRootWorSKey = (nwkSEncKey: Uint8Array): Uint8Array =>
  withKey(nwkSEncKey, (schedule) => derive(schedule, 0x01));
export type WorSessionKeys = { readonly worSIntKey: Uint8Array; readonly worSEncKey: Uint8Array };
export const deriveWorSessionKeys = (rootWorSKey: Uint8Array, devAddr: DevAddr): WorSessionKeys =>
  withKey(rootWorSKey, (schedule) => ({
    worSIntKey: derive(schedule, 0x01, ofDevAddr(devAddr)),
    worSEncKey: derive(schedule, 0x02, ofDevAddr(devAddr)),
  }));
/** TS004 v2 §: the key of the MIC over a fragmented data block, from GenAppKey (1.0.x) or AppKey (1.1). */
export const deriveDataBlockIntKey = (genAppKey: Uint8Array): Uint8Array =>
  withKey(genAppKey, (schedule) => derive(schedule, 0x30));
