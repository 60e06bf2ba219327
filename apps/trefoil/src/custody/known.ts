/**
 * What the proof knows and nobody but the rightful holders should: root keys that it provisioned, all keys that follow from them and from
 * the joins that it watched, KEKs, and payloads. Derived with @trefoil/lorawan, whose derivations the published vectors vouch for.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeKekFile } from "@trefoil/custody";
import {
  deriveJsEncKey,
  deriveJsIntKey,
  deriveSessionKeys10,
  deriveSessionKeys11,
  fromHex,
  parseDevEui,
  parseJoinEui,
  parseNetId,
} from "@trefoil/lorawan";
import type { Credentials } from "../demo/simulator.ts";
import type { Secret } from "./needles.ts";
import type { Kind } from "./policy.ts";

export type Join = { readonly devNonce: number; readonly joinNonce: number; readonly protocol: "1.0" | "1.1" };

const octetsOf = (hex: string) => fromHex(hex) as Uint8Array;
const secret = (kind: Kind, what: string, octets: Uint8Array): Secret => ({ kind, name: what, octets: octets.slice() });

/** Root keys, and the join server's keys of 1.1 devices. */
export function lifeLongKeys({ devEui, appKey, nwkKey }: Credentials): Secret[] {
  const eui = parseDevEui(devEui);
  if (!eui) return [];
  const roots = [secret("root key", `AppKey of ${devEui}`, octetsOf(appKey))];
  if (nwkKey === undefined) return roots;
  const nwk = octetsOf(nwkKey);
  return [
    ...roots,
    secret("root key", `NwkKey of ${devEui}`, nwk),
    secret("join server key", `JSIntKey of ${devEui}`, deriveJsIntKey(nwk, eui)),
    secret("join server key", `JSEncKey of ${devEui}`, deriveJsEncKey(nwk, eui)),
  ];
}

/** The keys of the session that a join made. */
export function sessionKeys(
  { devEui, joinEui, appKey, nwkKey }: Credentials,
  { devNonce, joinNonce, protocol }: Join,
  netIdText: string,
): Secret[] {
  const of = (name: string) => `${name} of ${devEui}`;
  const [eui, netId] = [parseJoinEui(joinEui), parseNetId(netIdText)];
  if (!eui || !netId) return [];
  if (protocol === "1.0" || nwkKey === undefined) {
    const keys = deriveSessionKeys10(octetsOf(nwkKey ?? appKey), joinNonce, netId, devNonce);
    return [secret("network session key", of("NwkSKey"), keys.nwkSKey), secret("AppSKey", of("AppSKey"), keys.appSKey)];
  }
  const keys = deriveSessionKeys11(octetsOf(nwkKey), octetsOf(appKey), joinNonce, eui, devNonce);
  return [
    secret("network session key", of("FNwkSIntKey"), keys.fNwkSIntKey),
    secret("network session key", of("SNwkSIntKey"), keys.sNwkSIntKey),
    secret("network session key", of("NwkSEncKey"), keys.nwkSEncKey),
    secret("AppSKey", of("AppSKey"), keys.appSKey),
  ];
}

export const payload = (hex: string): Secret => secret("payload", `payload ${hex.slice(0, 8)}…`, octetsOf(hex));

/** The KEKs, from their owners' folders: the proof runs as a user who may read them. */
export function keks(dataDir: string): Secret[] {
  return (
    [
      ["network-server", "network KEK"],
      ["application-server", "application KEK"],
    ] as const
  ).flatMap(([role, kind]) => {
    const kek = decodeKekFile(readFileSync(join(dataDir, role, "kek.key")));
    return kek ? [kek.key.expose((octets) => secret(kind, `KEK ${kek.label}`, octets))] : [];
  });
}
