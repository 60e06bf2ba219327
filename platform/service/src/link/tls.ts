/**
 * Who is who: each server's own key and certificate, the private CA, and the peers it may talk to, pinned by the SHA-256 of
 * their public key (SubjectPublicKeyInfo) and their role. A certificate of the CA alone opens nothing.
 */
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { Fault } from "@trefoil/store";
import { type Role, roles } from "@trefoil/wire";

export type Peer = {
  readonly role: Role;
  /** SHA-256 of the SubjectPublicKeyInfo, hex. */
  readonly fingerprint: string;
  /** TS002: which network or application server it speaks for, where peers.json says so. */
  readonly netId?: string;
  readonly asId?: string;
};
export type TlsMaterial = {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
  readonly peers: readonly Peer[];
};

/** The part of a server's life that links need. `Context` is one. */
export type Station = {
  readonly role: Role;
  readonly tls: TlsMaterial;
  readonly log: import("../life/log.ts").Log;
  readonly metrics: import("prom-client").Registry;
};

/** Reads tls.key, tls.crt, ca.crt and peers.json of a server's folder. */
export function loadTls(dataDir: string): TlsMaterial {
  const read = (name: string) => {
    try {
      return readFileSync(join(dataDir, name), "utf8");
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new Fault("start/certificates", `${join(dataDir, name)} cannot be read (${code}): run trefoil init`, {
        retry: "never",
        cause,
      });
    }
  };
  return { key: read("tls.key"), cert: read("tls.crt"), ca: read("ca.crt"), peers: parsePeers(read("peers.json")) };
}

/** `{ "<role>": "<hex>" }`, or `{ "<role>": { "spki": "<hex>", "netId"?, "asId"? } }` where a peer speaks for a network. */
export function parsePeers(text: string): Peer[] {
  const wrong = (what: string) => new Fault("start/peers", `peers.json ${what}: run trefoil init`, { retry: "never" });
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw wrong("is not JSON");
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw wrong("is not an object");
  return Object.entries(parsed).map(([role, value]: [string, unknown]) => {
    const { spki, netId, asId } = (typeof value === "string" ? { spki: value } : (value ?? {})) as {
      spki?: unknown;
      netId?: unknown;
      asId?: unknown;
    };
    if (!roles.includes(role as Role)) throw wrong("names a role that does not exist");
    if (typeof spki !== "string" || !/^[0-9a-f]{64}$/.test(spki)) throw wrong(`has no SHA-256 for ${role}`);
    return {
      role: role as Role,
      fingerprint: spki,
      ...(typeof netId === "string" ? { netId } : {}),
      ...(typeof asId === "string" ? { asId } : {}),
    };
  });
}

export const roleUri = (role: Role) => `urn:trefoil:role:${role}`;

/** SHA-256 of a certificate's SubjectPublicKeyInfo, hex: what peers.json pins. */
export const spkiFingerprint = (certificate: X509Certificate): string =>
  createHash("sha256")
    .update(certificate.publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");

/** The pinned peer that this certificate belongs to: its key is pinned for a role, and the certificate is for that role. */
export function peerOf(certificate: X509Certificate | undefined, peers: readonly Peer[]): Peer | undefined {
  if (!certificate) return undefined;
  const fingerprint = spkiFingerprint(certificate);
  const names = (certificate.subjectAltName ?? "").split(", ");
  return peers.find((peer) => peer.fingerprint === fingerprint && names.includes(`URI:${roleUri(peer.role)}`));
}

export const peerOfSocket = (socket: TLSSocket, peers: readonly Peer[]): Peer | undefined =>
  peerOf(socket.getPeerX509Certificate(), peers);

/** TLS 1.3 only, both sides show a certificate of the CA. */
export const tlsOptions = ({ key, cert, ca }: TlsMaterial) =>
  ({ key, cert, ca, minVersion: "TLSv1.3", maxVersion: "TLSv1.3", rejectUnauthorized: true }) as const;

/** For `checkServerIdentity`: names do not matter, the pinned key for the expected role does. */
export const expectRole =
  (role: Role, peers: readonly Peer[]) =>
  (_host: string, { raw }: { readonly raw: Buffer }): Error | undefined =>
    peerOf(new X509Certificate(raw), peers)?.role === role
      ? undefined
      : new Fault("link/not-pinned", `what listens there is not the ${role} of peers.json`, { retry: "later" });
