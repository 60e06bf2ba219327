/**
 * The Vault port: every operation with a root key, storage key or KEK. Engines: servers/vault (software; PKCS #11 comes behind the
 * same port). There is no operation that returns a key. Nothing in a request is believed but what the vault can check itself:
 * seals, blobs that open for exactly this device and assignment, and the realm owner's signatures (docs/authority.md).
 */
import type { KeyEnvelope, MacVersion, SealedKeys, SignedRegistration, VaultInfo } from "@trefoil/wire";

/** A device and who serves it. The vault binds each blob to all four: a blob under another EUI, NetID or AS-ID does not open. */
export type Assignment = {
  readonly devEui: string;
  readonly joinEui: string;
  readonly netId: string;
  readonly asId: string;
};

/** Root keys at rest: base64, wrapped under a key of the vault's that depends on the role and the Assignment. */
export type RootKeyBlobs = { readonly AppKey: string; readonly NwkKey?: string; readonly GenAppKey?: string };

export type ImportRootKeys = Assignment & { readonly macVersion: MacVersion; readonly sealed: SealedKeys };
export type Imported =
  | { readonly result: "imported"; readonly blobs: RootKeyBlobs }
  /** sealed/…, import/other-device, import/wrong-keys, vault/malformed */
  | { readonly result: "refused"; readonly code: string };

/** A join-request that the network server relayed, and what the join-accept shall say. Hex, most significant first where a number. */
export type VaultJoin = Assignment & {
  readonly blobs: RootKeyBlobs;
  /** The whole PHYPayload of the join-request, as on the air. */
  readonly joinRequest: string;
  readonly joinNonce: number;
  readonly devAddr: string;
  /** OptNeg (bit 7) decides between the 1.0.x and the 1.1 derivation, and must agree with the presence of an NwkKey. */
  readonly dlSettings: number;
  readonly rxDelay: number;
  /** 16 octets as on the air. */
  readonly cfList?: string;
};

/** Under the KEK registered for the NetID: NwkSKey (1.0.x) or the three of 1.1. Under the KEK for the AS-ID: AppSKey. */
export type SessionKeys = { readonly appSKey: KeyEnvelope } & (
  | { readonly nwkSKey: KeyEnvelope }
  | { readonly fNwkSIntKey: KeyEnvelope; readonly sNwkSIntKey: KeyEnvelope; readonly nwkSEncKey: KeyEnvelope }
);
export type VaultJoined =
  | { readonly result: "joined"; readonly joinAccept: string; readonly keys: SessionKeys }
  /** join/mic-failed, join/other-device, join/version, join/blob-refused, join/no-network-kek, join/no-application-kek, vault/malformed */
  | { readonly result: "refused"; readonly code: string };

/** One KEK that the owner registered. `netId` or `asId`, never both. */
export type KekRow = {
  readonly label: string;
  readonly netId?: string;
  readonly asId?: string;
  readonly issuedAt: number;
};
export type Registered = { readonly result: "registered" } | { readonly result: "refused"; readonly code: string };

/** Method → what goes in, what comes out. To add an operation: a row here, one in the engine's table. */
export type VaultMethods = {
  readonly info: { readonly body: Record<string, never>; readonly answer: VaultInfo };
  readonly keks: { readonly body: Record<string, never>; readonly answer: readonly KekRow[] };
  readonly registerKek: { readonly body: SignedRegistration; readonly answer: Registered };
  readonly importRootKeys: { readonly body: readonly ImportRootKeys[]; readonly answer: readonly Imported[] };
  readonly join: { readonly body: VaultJoin; readonly answer: VaultJoined };
};
export type VaultMethod = keyof VaultMethods;
export const vaultMethods = [
  "info",
  "keks",
  "registerKek",
  "importRootKeys",
  "join",
] as const satisfies readonly VaultMethod[];

/** All of them may be asked twice: none has an effect that a repetition would change. */
export type Vault = {
  readonly [Method in VaultMethod]: (body: VaultMethods[Method]["body"]) => Promise<VaultMethods[Method]["answer"]>;
};

/** What crosses the pipe, each as u32be length ‖ UTF-8 JSON. */
export type VaultRequest = { readonly id: number; readonly method: string; readonly body: unknown };
export type VaultAnswer =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly fault: string; readonly retry: "now" | "later" | "never" };
