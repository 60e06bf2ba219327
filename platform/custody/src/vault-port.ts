/**
 * The Vault port: every operation with a root key, master key, storage key or KEK. Engines: software and PKCS #11 (servers/vault). There is
 * no operation that returns a key. Nothing in a request is believed but what the vault can check itself: seals, blobs that open
 * for exactly this device and role, and the realm owner's statements, which it keeps (docs/authority.md).
 */
import type {
  DeviceId,
  ExposureRow,
  KeyEnvelope,
  MacVersion,
  NetworkId,
  Provenance,
  Provision,
  SealedKeys,
  SignedStatement,
  VaultInfo,
  VaultStatus,
} from "@trefoil/wire";

/** Root keys at rest: base64 of provenance1 ‖ import8 ‖ RFC 3394 wrap24. Each opens for its role and device alone, beside those that it came with. */
export type RootKeyBlobs = { readonly AppKey?: string; readonly NwkKey?: string; readonly GenAppKey?: string };

export type ImportRootKeys = DeviceId & {
  readonly macVersion: MacVersion;
  readonly sealed: SealedKeys;
  readonly origin?: "generated" | "typed" | "file";
  readonly provision?: Provision;
};
export type Imported =
  | { readonly result: "imported"; readonly blobs: RootKeyBlobs; readonly provenance: Provenance }
  /** sealed/…, import/other-device, import/wrong-keys, import/provision, vault/malformed */
  | { readonly result: "refused"; readonly code: string };

/** What the join-accept shall say, and for whom keys are asked. Hex, most significant first where a number. */
type Activation = DeviceId & {
  /** The network that asks, as the join server authenticated it. The owner's statements decide whether the device is its. */
  readonly network: NetworkId;
  readonly macVersion: MacVersion;
  /** Absent: the device's root keys are derived from the master key registered for its JoinEUI. */
  readonly blobs?: RootKeyBlobs;
  readonly joinNonce: number;
  readonly devAddr: string;
  /** OptNeg (bit 7) decides between the 1.0.x and the 1.1 derivation, and must agree with macVersion. */
  readonly dlSettings: number;
  readonly rxDelay: number;
  /** 16 octets as on the air. */
  readonly cfList?: string;
};
/** `joinRequest`: the whole PHYPayload as on the air. */
export type VaultJoin = Activation & { readonly joinRequest: string };
/** `rejoinRequest`: likewise, of type 0, 1 or 2. 1.1 alone. The vault checks a type 1's MIC; types 0 and 2 were checked by the network server (SNwkSIntKey). */
export type VaultRejoin = Activation & { readonly rejoinRequest: string };

/** Under the KEK of the network: NwkSKey (1.0.x) or the three of 1.1. Under the KEK of the AS-ID: AppSKey. */
export type SessionKeys = { readonly appSKey: KeyEnvelope } & (
  | { readonly nwkSKey: KeyEnvelope }
  | { readonly fNwkSIntKey: KeyEnvelope; readonly sNwkSIntKey: KeyEnvelope; readonly nwkSEncKey: KeyEnvelope }
);
export type VaultJoined =
  | {
      readonly result: "joined";
      readonly joinAccept: string;
      readonly keys: SessionKeys;
      /** The AS-ID that the AppSKey was wrapped for. */
      readonly asId: string;
      readonly provenance: Provenance;
      /** The entry of the audit log that recorded it: durable before this answer. */
      readonly use: Use;
    }
  /** join/mic-failed, join/other-device, join/version, join/not-assigned, join/blob-refused, join/no-root-key, join/no-network-kek, join/no-application-kek, vault/malformed */
  | { readonly result: "refused"; readonly code: string };

/** Where in which chain of the audit log (each process of the vault writes one of its own), and the hash of that line, which all before it went into. */
export type Use = { readonly instance: number; readonly entry: number; readonly hash: string };
/** A join or rejoin of the audit log, for a join server whose store is older than the vault (DESIGN §4). */
export type UsedNonces = Omit<Use, "hash"> &
  DeviceId & {
    /** "join", or the type of the rejoin-request. */
    readonly request: "join" | 0 | 1 | 2;
    /** DevNonce, RJcount0 or RJcount1. */
    readonly nonce: number;
    readonly joinNonce: number;
  };

export type SinceUse = { readonly instance: number; readonly entry: number; readonly hash?: string };
export type UsesSince = {
  /** Whether the chain has that entry, with that hash: if not it was cut, replaced or written anew since. Then there are no uses. */
  readonly isKnown: boolean;
  readonly uses: readonly UsedNonces[];
  /** Where to go on. The same as was asked: that was all. */
  readonly upTo: { readonly entry: number; readonly hash: string };
};

export type Admitted = { readonly result: "admitted" } | { readonly result: "refused"; readonly code: string };

export type Exported =
  | { readonly result: "exported"; readonly sealed: SealedKeys }
  /** export/not-stated, join/blob-refused, join/no-root-key */
  | { readonly result: "refused"; readonly code: string };

/** Method → what goes in, what comes out. To add an operation: a row here, one in the vault's table. */
export type VaultMethods = {
  readonly info: { readonly body: Record<string, never>; readonly answer: VaultInfo };
  readonly status: { readonly body: Record<string, never>; readonly answer: VaultStatus };
  /**
   * All that stand, in the order in which they were admitted. The join server takes peers and assignments from here, never from a file of
   * its own. An answer has at most some 2 MB of them: `after` is the signature of the last one had, until an answer is empty (a
   * VaultPool does so by itself).
   */
  readonly statements: { readonly body: { readonly after?: string }; readonly answer: readonly SignedStatement[] };
  /** Instance 0 alone: the others read what it keeps. */
  readonly admit: { readonly body: SignedStatement; readonly answer: Admitted };
  readonly importRootKeys: { readonly body: readonly ImportRootKeys[]; readonly answer: readonly Imported[] };
  readonly join: { readonly body: VaultJoin; readonly answer: VaultJoined };
  readonly rejoin: { readonly body: VaultRejoin; readonly answer: VaultJoined };
  readonly exportRootKeys: {
    readonly body: { readonly to: string; readonly device: DeviceId; readonly blobs?: RootKeyBlobs };
    readonly answer: Exported;
  };
  /** Joins recorded after an entry of any process's chain, at most 1,000, oldest first. Entry 0 is before the first. */
  readonly usesSince: { readonly body: SinceUse; readonly answer: UsesSince };
  readonly exposure: {
    readonly body: readonly (DeviceId & { readonly blobs?: RootKeyBlobs })[];
    readonly answer: readonly ExposureRow[];
  };
};
export type VaultMethod = keyof VaultMethods;
export const vaultMethods = [
  "info",
  "status",
  "statements",
  "admit",
  "importRootKeys",
  "join",
  "rejoin",
  "exportRootKeys",
  "usesSince",
  "exposure",
] as const satisfies readonly VaultMethod[];

/** All of them may be asked twice: none has an effect that a repetition would change, but one more entry in the audit log. */
export type Vault = {
  readonly [Method in VaultMethod]: (body: VaultMethods[Method]["body"]) => Promise<VaultMethods[Method]["answer"]>;
};

/** What crosses the pipe, each as u32be length ‖ UTF-8 JSON. */
export type VaultRequest = { readonly id: number; readonly method: string; readonly body: unknown };
export type VaultAnswer =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly fault: string; readonly retry: "now" | "later" | "never" };
