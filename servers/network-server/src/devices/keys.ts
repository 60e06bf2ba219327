/** Network session keys of personalised devices: sealed to this server by whoever registered the device. */
import { noEui, type OpenedKey, type Opener, secretOctets } from "@trefoil/custody";
import type { MacVersion, NetworkDevice } from "@trefoil/wire";
import type { Refused } from "./parse.ts";

/** In the order of the column `keys` (sessions/columns.ts). */
export const networkKeyRoles = (macVersion: MacVersion) =>
  macVersion === "1.1" ? (["FNwkSIntKey", "SNwkSIntKey", "NwkSEncKey"] as const) : (["NwkSKey"] as const);

/** The keys one after another; the caller wipes them once stored. */
export function openNetworkKeys(opener: Opener, device: NetworkDevice): Uint8Array | Refused {
  const opened = opener.open(device.abp?.sealed);
  if (opened.result === "refused")
    return { ok: false, code: opened.code, message: `the sealed keys cannot be opened (${opened.code})` };
  try {
    const roles = networkKeyRoles(device.macVersion);
    const keys = roles.map((role) => opened.keys.find((key) => key.key.role === role && isFor(device, key)));
    if (keys.length !== opened.keys.length || !keys.every((key) => key !== undefined))
      return {
        ok: false,
        code: "device/keys",
        message: `a personalised device of LoRaWAN ${device.macVersion} needs exactly ${roles.join(", ")}, sealed for its DevEUI`,
      };
    const octets = secretOctets(roles.length * 16);
    for (const [i, { key }] of keys.entries()) key.expose((one) => octets.set(one, i * 16));
    return octets;
  } finally {
    for (const { key } of opened.keys) key[Symbol.dispose]();
  }
}

const isFor = (device: NetworkDevice, key: OpenedKey) =>
  key.devEui === device.devEui && (key.joinEui === noEui || key.joinEui === device.joinEui);
