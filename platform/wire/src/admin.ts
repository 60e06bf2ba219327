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
 * | | POST /statements | SignedStatement → {} (authority.ts: signed by the realm owner, verified by the vault) |
 * | | GET /statements | → StatementRow[] |
 * | | GET /vault/status | → VaultStatus[], one for each process of the vault |
 * | | POST /exports | { devices: DeviceId[] , to: fingerprint } → { devices: { devEui, joinEui, sealed }[] } (an ExportStatement must stand) |
 * | | GET /exposure?after=&limit= | → ExposureRow[] |
 * | network-server, application-server | POST /kek | {} → { label, kek: SealedKeys } a new KEK, sealed to the pinned vault; the former still opens |
 * | | POST /devices | JoinDevice[] → Results; GET /devices → JoinDeviceRow[]; DELETE /devices/:devEui → {} |
 * | | POST /devices/:devEui/reset-nonces | { reason } → {} recorded for ever |
 * | network-server | POST /devices | NetworkDevice[] → Results; GET, DELETE as above |
 * | | POST /devices/:devEui/expect-rejoin | {} → {} rejoin-requests of type 2 are answered from now on, as after ForceRejoinReq |
 * | application-server | POST /applications | { applicationId, name? } → { applicationId, mqtt: { username, password } } |
 * | | GET /applications; DELETE /applications/:id | |
 * | | POST /devices | ApplicationDevice[] → Results; GET /devices[?application=id]; DELETE /devices/:devEui |
 * | gateway-server | POST /gateways | Gateway → {}; GET /gateways → (Gateway & { connected, lastSeen? })[]; DELETE /gateways/:eui |
 * | | GET /sealing-key | → { publicKey, fingerprint } for ABP session keys |
 */
import type { NetworkId, Provenance, StatementKind } from "./authority.ts";
import type { MacVersion } from "./mac-version.ts";
import type { Provision, SealedKeys } from "./sealed.ts";

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
  /** P-256 key that signs the heads of the audit log: SubjectPublicKeyInfo, DER in base64. */
  readonly auditKey: string;
};

/** What `trefoil vault status` shows of one process of the vault. */
export type VaultStatus = {
  readonly instance: number;
  readonly engine: VaultInfo["engine"];
  /** Where the keys are: module and token of PKCS #11; "this process" of the software engine. */
  readonly place: string;
  /** Slug of what is wrong with the token, absent when nothing is. Joins fail closed meanwhile. */
  readonly fault?: string;
  /** Keys that the self-test at start missed or found damaged, by label. */
  readonly damaged: readonly string[];
  readonly startedAt: number;
  readonly joins: number;
  /** Handles alive now beside the long-lived ones: 0 between two requests. */
  readonly handles: number;
  readonly auditEntry: number;
  /** Instances that the audit log has a chain of: also those of processes that are no more. */
  readonly chains: readonly number[];
};

/** One statement that stands, without its key. */
export type StatementRow = {
  readonly kind: StatementKind;
  /** What it is about, in words: "network 000013", "device 0011223344556677", "peer tts-acme". */
  readonly subject: string;
  readonly issuedAt: number;
  readonly label?: string;
  readonly network?: NetworkId;
  readonly asId?: string;
  readonly certificate?: string;
  readonly usedFrom?: number;
  readonly shown?: boolean;
  readonly revoked?: boolean;
};

/** One key of the exposure ledger. */
export type ExposureRow = {
  readonly devEui: string;
  readonly joinEui: string;
  readonly role: string;
  readonly provenance: Provenance;
  /** Fingerprints of the vaults that it was exported to. */
  readonly exportedTo: readonly string[];
};

export type JoinDevice = {
  readonly devEui: string;
  readonly joinEui: string;
  readonly macVersion: MacVersion;
  /** Root keys sealed to the vault: AppKey (1.0.x), NwkKey and AppKey (1.1). A batch may share one sealing. Who serves it is the owner's to say (authority.ts). */
  readonly sealed: SealedKeys;
  /** How the key came to whoever sealed it. A `provision` that the vault can verify counts for more than any claim. */
  readonly origin?: "generated" | "typed" | "file";
  readonly provision?: Provision;
  /** History that comes along on import. */
  readonly usedDevNonces?: readonly number[];
  readonly lastJoinNonce?: number;
  readonly rjCount0?: number;
  readonly rjCount1?: number;
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
