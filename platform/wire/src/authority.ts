/**
 * What only the realm owner may cause (docs/authority.md): statements, signed with the owner's Ed25519 key outside every server, verified and
 * kept by the vault. No server's word replaces one. Made and verified in @trefoil/custody.
 *
 * Of two statements about the same subject the later one (`issuedAt`) stands; an earlier one is refused. `vault` names the vault that
 * a statement is for: no other believes it.
 */
import type { MacVersion } from "./mac-version.ts";
import type { SealedKeys } from "./sealed.ts";

type Common = {
  readonly version: 1;
  /** Fingerprint of the vault. */
  readonly vault: string;
  /** Milliseconds since the Unix epoch. */
  readonly issuedAt: number;
};

/** A network: its NetID (6 hex digits), and where several share one (000000, 000001), the NSID (16 hex digits) that tells them apart. */
export type NetworkId = { readonly netId: string; readonly nsId?: string };
/** Inclusive at both ends; 16 hex digits, lower case. */
export type JoinEuiRange = { readonly first: string; readonly last: string };
export type DeviceId = { readonly devEui: string; readonly joinEui: string };

/** The KEK under which keys are wrapped for one network or one application server. Subject: the network or AS-ID. */
export type KekStatement = Common & {
  readonly kind: "kek";
  readonly label: string;
  /** Exactly one of the two. */
  readonly network?: NetworkId;
  readonly asId?: string;
  readonly kek: SealedKeys;
  /** Until then the former one is used: the receiver can take the new one in at leisure. Absent: at once. */
  readonly usedFrom?: number;
  /** It was made by the owner's command line and shown to a person, for a receiver that cannot seal. The exposure ledger says so. */
  readonly shown?: true;
};

/** A server of another owner (or the realm's own) that may ask by Backend Interfaces. Subject: the certificate's key. */
export type PeerStatement = Common & {
  readonly kind: "peer";
  readonly name: string;
  /** SHA-256 of the SubjectPublicKeyInfo of its TLS certificate, hex. */
  readonly certificate: string;
  /** What it may speak for: at least one. */
  readonly network?: NetworkId;
  readonly asId?: string;
  /** Where answers and notifications are posted when the peer wants them asynchronously. */
  readonly url?: string;
  /** "app-s-key-req": the JoinAns names the session (SessionKeyID) alone, and the application server asks for the AppSKey itself. */
  readonly appSKey?: "join-ans" | "app-s-key-req";
  readonly revoked?: true;
};

/** Which network and application server keys are wrapped for. A device's own statement outranks ranges, a smaller range a larger one. */
export type AssignmentStatement = Common & {
  readonly kind: "assignment";
  /** Exactly one of the two. Each device, or the range, is a subject. 1 to 500 devices. */
  readonly devices?: readonly DeviceId[];
  readonly joinEuis?: JoinEuiRange;
  /** Absent, both: nobody's. No keys are wrapped for anybody. */
  readonly network?: NetworkId;
  readonly asId?: string;
};

/** A maker's master key, from which the vault derives the root keys of every device of a range (LORA-KDF-1). Subject: the range. */
export type MasterKeyStatement = Common & {
  readonly kind: "master-key";
  readonly joinEuis: JoinEuiRange;
  readonly kdf: "LORA-KDF-1";
  readonly epoch: number;
  /** Out-of-band information that goes into the derivation, hex, may be empty. */
  readonly extra: string;
  readonly macVersion: MacVersion;
  /** One key of role MasterKey, both EUIs zero. */
  readonly key: SealedKeys;
  /** It was seen outside an HSM before it was sealed: the keys derived from it count as exposed likewise. */
  readonly origin?: "generated" | "typed" | "file";
};

/** Whose signature on a sealed key proves that it was never in the clear outside a maker's HSM. Subject: the public key. */
export type ProvisionerStatement = Common & {
  readonly kind: "provisioner";
  readonly name: string;
  /** Ed25519 or P-256, SubjectPublicKeyInfo in base64. */
  readonly publicKey: string;
  readonly joinEuis: JoinEuiRange;
  readonly revoked?: true;
};

/** Lets the vault seal root keys of these devices to another vault. Subject: each device with this receiver. */
export type ExportStatement = Common & {
  readonly kind: "export";
  readonly devices: readonly DeviceId[];
  /** RSA public key of the receiving vault, SubjectPublicKeyInfo in base64. */
  readonly to: string;
  /** Milliseconds since the Unix epoch: afterwards nothing more goes there. That it was allowed stays in the ledger. */
  readonly until: number;
};

export type Statement =
  | KekStatement
  | PeerStatement
  | AssignmentStatement
  | MasterKeyStatement
  | ProvisionerStatement
  | ExportStatement;
export type StatementKind = Statement["kind"];

/** `payload` is the exact JSON text that was signed; `signature` is base64 over "TREFOIL-STATEMENT-1\0" ‖ UTF-8 payload. */
export type SignedStatement = { readonly payload: string; readonly signature: string };

/**
 * How a root key came (the exposure ledger). Set by the vault, bound into the key's blob, never cleared:
 * `derived` from a master key in the vault; `provisioner`: sealed, with a registered provisioner's signature. All others are exposed:
 * `generated` by the command line, `typed` by a person, `file`: imported from a file in the clear, `unknown`: sealed by somebody.
 */
export const provenances = ["derived", "provisioner", "generated", "typed", "file", "unknown"] as const;
export type Provenance = (typeof provenances)[number];
