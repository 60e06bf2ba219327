/** Session keys and join keys. TS001-1.0.4 §6.2.5, TS001-1.1 §6.1.1.3 and §6.2.5 */
import { concat, toWire, uintOctets } from "../octets.ts";
import { deriveKey } from "./aes.ts";

/** In 1.0.x the three network keys are one and the same, NwkSKey. */
export type SessionKeys = {
  readonly fNwkSIntKey: Uint8Array;
  readonly sNwkSIntKey: Uint8Array;
  readonly nwkSEncKey: Uint8Array;
  readonly appSKey: Uint8Array;
};

/** `root` is the AppKey of a 1.0.x device, or the NwkKey of a 1.1 device that met a 1.0.x network. */
export function sessionKeys10(
  root: Uint8Array,
  join: { joinNonce: number; netId: string; devNonce: number },
): SessionKeys {
  const context = concat(uintOctets(join.joinNonce, 3), toWire(join.netId), uintOctets(join.devNonce, 2));
  const nwkSKey = deriveKey(root, Uint8Array.of(0x01), context);
  return legacyKeys(nwkSKey, deriveKey(root, Uint8Array.of(0x02), context));
}

export function legacyKeys(nwkSKey: Uint8Array, appSKey: Uint8Array): SessionKeys {
  return { fNwkSIntKey: nwkSKey, sNwkSIntKey: nwkSKey, nwkSEncKey: nwkSKey, appSKey };
}

export function sessionKeys11(
  roots: { nwkKey: Uint8Array; appKey: Uint8Array },
  join: { joinNonce: number; joinEui: string; devNonce: number },
): SessionKeys {
  const context = concat(uintOctets(join.joinNonce, 3), toWire(join.joinEui), uintOctets(join.devNonce, 2));
  const derive = (root: Uint8Array, purpose: number) => deriveKey(root, Uint8Array.of(purpose), context);
  return {
    fNwkSIntKey: derive(roots.nwkKey, 0x01),
    appSKey: derive(roots.appKey, 0x02),
    sNwkSIntKey: derive(roots.nwkKey, 0x03),
    nwkSEncKey: derive(roots.nwkKey, 0x04),
  };
}

export const jsEncKey = (nwkKey: Uint8Array, devEui: string) => deriveKey(nwkKey, Uint8Array.of(0x05), toWire(devEui));
export const jsIntKey = (nwkKey: Uint8Array, devEui: string) => deriveKey(nwkKey, Uint8Array.of(0x06), toWire(devEui));
