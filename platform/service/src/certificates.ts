/**
 * The private CA and the servers' certificates, all P-256. Used by `trefoil init` and by tests: no server imports this.
 * A server's certificate names its role (SAN `URI:urn:trefoil:role:<role>`): peers pin key and role together (link/tls.ts).
 */
import "./reflect-metadata.ts";
import { createHash, createPrivateKey, createPublicKey, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";
import { type Role, roles } from "@trefoil/wire";
import { roleUri } from "./link/tls.ts";

x509.cryptoProvider.set(webcrypto as never);

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const caYears = 20;
const serverYears = 3;

export type Ca = { readonly keyPem: string; readonly certificatePem: string };
export type KeyAndCsr = { readonly keyPem: string; readonly csrPem: string };
export type Issued = {
  readonly certificatePem: string /** For peers.json: SHA-256 of the SubjectPublicKeyInfo, hex. */;
  readonly spki: string;
};

/** A new private CA. Encrypt its key before it is written (`encryptKey`). */
export async function makeCa(name = "Trefoil private CA"): Promise<Ca> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=${name}`,
    ...validity(caYears),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { keyPem: await pkcs8(keys), certificatePem: pem(certificate.toString("pem")) };
}

/** A server's own key, and the request that it signs with it. The key never leaves the server's folder. */
export const makeServerKeyAndCsr = (role: Role): Promise<KeyAndCsr> => makeKeyAndCsr(role);

/** Likewise for a server of another owner that has no certificate: its owner gets both. */
export const makePeerKeyAndCsr = (name: string): Promise<KeyAndCsr> => makeKeyAndCsr(name);

async function makeKeyAndCsr(name: string): Promise<KeyAndCsr> {
  const keys = await newKeys();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [name] }],
    keys,
    signingAlgorithm: algorithm,
  });
  return { keyPem: await pkcs8(keys), csrPem: pem(request.toString("pem")) };
}

/** A certificate for the role, whatever else the request asks for. Refuses a request that its own key did not sign. `hostNames`: under which others reach it. */
export async function issueCertificate(
  ca: Ca,
  role: Role,
  csrPem: string,
  hostNames: readonly string[] = [],
): Promise<Issued> {
  return issueForRole(ca, role, await publicKeyOfRequest(csrPem), hostNames);
}

/** A new certificate for the key of an earlier one: pins stay as they are. */
export const renewCertificate = (
  ca: Ca,
  role: Role,
  certificatePem: string,
  hostNames: readonly string[] = [],
): Promise<Issued> => issueForRole(ca, role, new x509.X509Certificate(certificatePem).publicKey, hostNames);

/** A client certificate for a server of another owner. It says no role: no server of ours takes it for one of its own. */
export async function issuePeerCertificate(ca: Ca, name: string, csrPem: string): Promise<Issued> {
  return issue(ca, name, await publicKeyOfRequest(csrPem), [x509.ExtendedKeyUsage.clientAuth], []);
}

async function publicKeyOfRequest(csrPem: string): Promise<x509.PublicKey> {
  const request = new x509.Pkcs10CertificateRequest(csrPem);
  if (!(await request.verify())) throw new TypeError("the certificate request is not signed by its own key");
  return request.publicKey;
}

function issueForRole(ca: Ca, role: Role, publicKey: x509.PublicKey, hostNames: readonly string[]): Promise<Issued> {
  if (!roles.includes(role)) throw new TypeError(`there is no role ${role}`);
  return issue(
    ca,
    role,
    publicKey,
    [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth],
    [
      { type: "url", value: roleUri(role) },
      { type: "dns", value: "localhost" },
      { type: "ip", value: "127.0.0.1" },
      ...hostNames.map((value) => ({ type: isIP(value) ? "ip" : "dns", value }) as const),
    ],
  );
}

async function issue(
  ca: Ca,
  name: string,
  publicKey: x509.PublicKey,
  usages: x509.ExtendedKeyUsage[],
  alternativeNames: x509.JsonGeneralNames,
): Promise<Issued> {
  const issuer = new x509.X509Certificate(ca.certificatePem);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    issuer: issuer.subject,
    subject: [{ CN: [name] }],
    ...validity(serverYears),
    signingAlgorithm: algorithm,
    signingKey: await caKey(ca),
    publicKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(usages),
      ...(alternativeNames.length > 0 ? [new x509.SubjectAlternativeNameExtension(alternativeNames)] : []),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return { certificatePem: pem(certificate.toString("pem")), spki: sha256(new Uint8Array(publicKey.rawData)) };
}

/** As a server of another owner may have: issued by nobody but itself. Years from now. */
export async function makeSelfSigned(
  name: string,
  { from = 0, to = 1 }: { readonly from?: number; readonly to?: number } = {},
): Promise<Issued & { readonly keyPem: string }> {
  const keys = await newKeys();
  const at = (years: number) => new Date(Date.now() - 3_600_000 + years * 365.25 * 86_400_000);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=${name}`,
    notBefore: at(from),
    notAfter: at(to),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "localhost" }])],
  });
  const certificatePem = pem(certificate.toString("pem"));
  return { keyPem: await pkcs8(keys), certificatePem, spki: spkiOf(certificatePem) };
}

/** PKCS#8, encrypted (PBES2, AES-256-CBC): how the CA's key rests. */
export const encryptKey = (keyPem: string, passphrase: string): string =>
  createPrivateKey(keyPem).export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase }).toString();

/** Undefined when the passphrase is wrong. */
export function decryptKey(encryptedPem: string, passphrase: string): string | undefined {
  try {
    return createPrivateKey({ key: encryptedPem, passphrase }).export({ type: "pkcs8", format: "pem" }).toString();
  } catch {
    return undefined;
  }
}

/** For peers.json, from any certificate or public key in PEM. */
export const spkiOf = (certificateOrKeyPem: string): string =>
  sha256(createPublicKey(certificateOrKeyPem).export({ type: "spki", format: "der" }));

const sha256 = (octets: Uint8Array) => createHash("sha256").update(octets).digest("hex");
const pem = (text: string) => `${text.trim()}\n`;
/** Positive and not zero, 128 bits. */
const serial = () =>
  `4${Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)))
    .toString("hex")
    .slice(1)}`;
const newKeys = () =>
  webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]) as Promise<webcrypto.CryptoKeyPair>;

/** From an hour ago: clocks differ. */
function validity(years: number) {
  const now = Date.now();
  const notBefore = new Date(now - 3_600_000);
  return { notBefore, notAfter: new Date(now + years * 365.25 * 86_400_000) };
}

async function pkcs8({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  const der = await webcrypto.subtle.exportKey("pkcs8", privateKey);
  return createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" })
    .export({ type: "pkcs8", format: "pem" })
    .toString();
}

async function caKey({ keyPem }: Ca): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(keyPem).export({ type: "pkcs8", format: "der" });
  return (await webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"])) as webcrypto.CryptoKey;
}
