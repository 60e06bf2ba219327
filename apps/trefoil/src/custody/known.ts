/**
 * What the verifier knows and nobody but the rightful holders should: root keys that it provisioned, all keys that follow from them and from
 * the sessions that it saw being made, KEKs, the vault's own keys, and payloads. Derived with @trefoil/lorawan, whose derivations
 * the published vectors vouch for.
 */
import { readdirSync, readFileSync } from "node:fs";
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
import { type Envelope, envelopesIn, nameOfKek } from "./envelopes.ts";
import type { Secret } from "./needles.ts";
import type { Kind } from "./policy.ts";
import type { Records } from "./records.ts";
import { type Session, sessionsIn } from "./sessions.ts";
import { vaultSecrets } from "./vault-secrets.ts";

const octetsOf = (hex: string) => fromHex(hex) as Uint8Array;
const secret = (kind: Kind, what: string, octets: Uint8Array): Secret => ({ kind, name: what, octets: octets.slice() });

export type Device = Credentials & { readonly genAppKey?: string };

/** Grows while the network runs. */
export class Known {
  readonly #devices: readonly Device[];
  readonly #netId: string;
  readonly #fixed: Secret[];
  readonly #sessions = new Map<string, readonly Secret[]>();

  constructor(devices: readonly Device[], netId: string, more: readonly Secret[]) {
    this.#devices = devices;
    this.#netId = netId;
    this.#fixed = [...devices.flatMap(lifeLongKeys), ...more];
  }

  addPayload(hex: string): void {
    this.#fixed.push(secret("payload", `payload ${hex.slice(0, 8)}…`, octetsOf(hex)));
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** All secrets, with the sessions and envelopes that have come up until now. */
  secrets(records: Records): readonly (Secret | Envelope)[] {
    for (const session of sessionsIn(records)) {
      const key = JSON.stringify(session);
      const device = this.#devices.find(({ devEui }) => devEui === session.devEui);
      if (device && !this.#sessions.has(key)) this.#sessions.set(key, sessionKeys(device, session, this.#netId));
    }
    return [...this.#fixed, ...[...this.#sessions.values()].flat(), ...envelopesIn(records)];
  }
}

/** Root keys, and the join server's keys of 1.1 devices. */
export function lifeLongKeys({ devEui, appKey, nwkKey, genAppKey }: Device): Secret[] {
  const eui = parseDevEui(devEui);
  if (!eui) return [];
  const roots = [
    secret("root key", `AppKey of ${devEui}`, octetsOf(appKey)),
    ...(genAppKey === undefined ? [] : [secret("GenAppKey", `GenAppKey of ${devEui}`, octetsOf(genAppKey))]),
  ];
  if (nwkKey === undefined) return roots;
  const nwk = octetsOf(nwkKey);
  return [
    ...roots,
    secret("root key", `NwkKey of ${devEui}`, nwk),
    secret("join server key", `JSIntKey of ${devEui}`, deriveJsIntKey(nwk, eui)),
    secret("join server key", `JSEncKey of ${devEui}`, deriveJsEncKey(nwk, eui)),
  ];
}

/** The keys of a session. */
export function sessionKeys(
  { devEui, joinEui, appKey, nwkKey }: Device,
  { nonce, joinNonce, protocol, by }: Session,
  netIdText: string,
): Secret[] {
  const of = (name: string) => `${name} of ${devEui}, ${by} ${nonce}`;
  const [eui, netId] = [parseJoinEui(joinEui), parseNetId(netIdText)];
  if (!eui || !netId) return [];
  if (protocol === "1.0" || nwkKey === undefined) {
    const keys = deriveSessionKeys10(octetsOf(nwkKey ?? appKey), joinNonce, netId, nonce);
    return [secret("network session key", of("NwkSKey"), keys.nwkSKey), secret("AppSKey", of("AppSKey"), keys.appSKey)];
  }
  const keys = deriveSessionKeys11(octetsOf(nwkKey), octetsOf(appKey), joinNonce, eui, nonce);
  return [
    secret("network session key", of("FNwkSIntKey"), keys.fNwkSIntKey),
    secret("network session key", of("SNwkSIntKey"), keys.sNwkSIntKey),
    secret("network session key", of("NwkSEncKey"), keys.nwkSEncKey),
    secret("AppSKey", of("AppSKey"), keys.appSKey),
  ];
}

/** The KEKs and the vault's own keys, from their owners' folders: the proof runs as a user who may read them. */
export function serversOwnKeys(dataDir: string): readonly Secret[] {
  const keks = (
    [
      ["network-server", "network KEK"],
      ["application-server", "application KEK"],
    ] as const
  ).flatMap(([role, kind]) =>
    readdirSync(join(dataDir, role))
      .filter((name) => /^kek.*\.key$/.test(name))
      .flatMap((name) => {
        const kek = decodeKekFile(readFileSync(join(dataDir, role, name)));
        return kek ? [kek.key.expose((octets) => secret(kind, nameOfKek(kek.label), octets))] : [];
      }),
  );
  return [...keks, ...vaultSecrets(join(dataDir, "vault"))];
}
