/**
 * Administration: HTTP and JSON on each server's own unix socket `<dataDir>/admin.sock`, mode 0600, until accounts exist.
 * Only `trefoil` calls it. Nothing secret crosses it unsealed, with one exception: a generated MQTT password is in the
 * answer to the call that made it, once.
 *
 * An error answer is `{ "error": { "code": "device/exists", "message": "one sentence" } }` with a 4xx status.
 *
 * | server | call | body → answer |
 * |---|---|---|
 * | all | GET /status | → Status |
 * | join-server | GET /vault | → VaultInfo |
 * | | POST /registrations | SignedRegistration → {} (KEKs, signed by the realm owner) |
 * | | POST /devices | JoinDevice[] → Results; GET /devices → JoinDeviceRow[]; DELETE /devices/:devEui → {} |
 * | | POST /devices/:devEui/reset-nonces | { reason } → {} recorded for ever |
 * | network-server | POST /devices | NetworkDevice[] → Results; GET, DELETE as above |
 * | application-server | POST /applications | { applicationId, name? } → { applicationId, mqtt: { username, password } } |
 * | | GET /applications; DELETE /applications/:id | |
 * | | POST /devices | ApplicationDevice[] → Results; GET /devices[?application=id]; DELETE /devices/:devEui |
 * | gateway-server | POST /gateways | Gateway → {}; GET /gateways → (Gateway & { connected, lastSeen? })[]; DELETE /gateways/:eui |
 * | network-server, application-server | GET /sealing-key | → { publicKey, fingerprint } for ABP session keys |
 */
import type { SealedKeys } from "./sealed.ts";

export type MacVersion = "1.0.0" | "1.0.1" | "1.0.2" | "1.0.3" | "1.0.4" | "1.1";

/** One line per row of the request, in its order: one bad row does not stop the rest. */
export type Results = {
  readonly results: readonly (
    | { readonly ok: true }
    | { readonly ok: false; readonly code: string; readonly message: string }
  )[];
};

export type VaultInfo = {
  readonly engine: "software" | "pkcs11";
  /** RSA public key, SubjectPublicKeyInfo, DER in base64. */
  readonly publicKey: string;
  /** SHA-256 of that DER, hex. */
  readonly fingerprint: string;
};

export type JoinDevice = {
  readonly devEui: string;
  readonly joinEui: string;
  readonly macVersion: MacVersion;
  /** The network that serves it (NetID, 6 hex digits) and the application server (AS-ID): these decide whose KEKs are used. */
  readonly netId: string;
  readonly asId: string;
  /** Root keys sealed to the vault: AppKey (1.0.x), NwkKey and AppKey (1.1). A batch may share one sealing. */
  readonly sealed: SealedKeys;
  /** History that comes along on import. */
  readonly usedDevNonces?: readonly number[];
  readonly lastJoinNonce?: number;
};

export type NetworkDevice = {
  readonly devEui: string;
  readonly joinEui?: string;
  readonly macVersion: MacVersion;
  readonly region: string;
  readonly asId: string;
  /** Personalised devices only. Network session keys are sealed to the network-server. */
  readonly abp?: {
    readonly devAddr: string;
    readonly sessionKeyId: string;
    readonly sealed: SealedKeys;
    readonly fCntUp?: number;
    /** The last downlink counter used; of 1.1 the network's, NFCntDown. */
    readonly fCntDown?: number;
    /** 1.1: the last AFCntDown used. Absent: as `fCntDown`. */
    readonly aFCntDown?: number;
  };
};

export type ApplicationDevice = {
  readonly applicationId: string;
  readonly deviceId: string;
  readonly devEui: string;
  readonly joinEui?: string;
  /** Personalised devices only. The AppSKey is sealed to the application-server. */
  readonly abp?: { readonly devAddr: string; readonly sessionKeyId: string; readonly sealed: SealedKeys };
};

export type Gateway = {
  readonly gatewayId: string;
  readonly eui: string;
  readonly antennaGainDbi?: number;
  readonly location?: { readonly latitude: number; readonly longitude: number; readonly altitude?: number };
};

export type Status = {
  readonly role: string;
  readonly version: string;
  readonly startedAt: number;
  readonly facts: { readonly [name: string]: string | number | boolean };
};
