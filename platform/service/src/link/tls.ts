/**
 * Who is who: each server's own key and certificate, the private CA, and the peers it may talk to, pinned by the SHA-256 of
 * their public key (SubjectPublicKeyInfo) and their role. A certificate of the CA alone opens nothing.
 */
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
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
  /** PEM. Octets, where it was read from a file: a string's copies stay in memory. */
  readonly key: string | Buffer;
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
      return readFileSync(join(dataDir, name));
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new Fault("start/certificates", `${join(dataDir, name)} cannot be read (${code}): run trefoil init`, {
        retry: "never",
        cause,
      });
    }
  };
  const text = (name: string) => read(name).toString("utf8");
  return { key: read("tls.key"), cert: text("tls.crt"), ca: text("ca.crt"), peers: parsePeers(text("peers.json")) };
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

const tls13 = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" } as const;

/** When a certificate counts, in milliseconds since the Unix epoch. */
export type Validity = { readonly notBefore: number; readonly notAfter: number };
export const validityOf = ({ validFromDate, validToDate }: X509Certificate): Validity => ({
  notBefore: validFromDate.getTime(),
  notAfter: validToDate.getTime(),
});

/**
 * For a server: TLS 1.3 only, and callers show a certificate of the CA. Otherwise (`ofCa` false) of whatever CA: then none is named
 * in the handshake, as some callers would keep theirs to themselves, and the listener itself must see whose key it is.
 */
export const serverTls = ({ key, cert, ca }: TlsMaterial, ofCa = true) =>
  ({
    key,
    cert,
    ca: ofCa ? ca : [],
    ...tls13,
    requestCert: true,
    rejectUnauthorized: ofCa,
    handshakeTimeout: 10_000,
  }) as const;

const contexts = new WeakMap<TlsMaterial, SecureContext>();

/** Own key and certificate, ready-made: https.Agent would write the key into the names of its connections. */
export function clientContext(material: TlsMaterial): SecureContext {
  const { key, cert, ca } = material;
  const context = contexts.get(material) ?? createSecureContext({ key, cert, ca, ...tls13 });
  contexts.set(material, context);
  return context;
}

/** For a caller who expects `role`: TLS 1.3 only; names do not matter, the pinned key does. */
export function clientTls(material: TlsMaterial, role: Role) {
  return {
    secureContext: clientContext(material),
    rejectUnauthorized: true,
    servername: "localhost",
    checkServerIdentity: expectRole(role, material.peers),
  };
}

const expectRole =
  (role: Role, peers: readonly Peer[]) =>
  (_host: string, { raw }: { readonly raw: Buffer }): Error | undefined =>
    peerOf(new X509Certificate(raw), peers)?.role === role
      ? undefined
      : new Fault("link/not-pinned", `what listens there is not the ${role} of peers.json`, { retry: "later" });
