import { createPrivateKey, X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { decryptKey, encryptKey, issueCertificate, makeCa, makeServerKeyAndCsr, spkiOf } from "./certificates.ts";
import { peerOf, spkiFingerprint } from "./link/tls.ts";

test("a certificate names its role and this machine, is signed by the CA, and is for both sides of TLS", async () => {
  const ca = await makeCa();
  const { keyPem, csrPem } = await makeServerKeyAndCsr("network-server");
  const { certificatePem, spki } = await issueCertificate(ca, "network-server", csrPem);
  const certificate = new X509Certificate(certificatePem);
  const authority = new X509Certificate(ca.certificatePem);
  expect(certificate.subjectAltName).toBe("URI:urn:trefoil:role:network-server, DNS:localhost, IP Address:127.0.0.1");
  expect(certificate.verify(authority.publicKey)).toBe(true);
  expect(certificate.checkIssued(authority)).toBe(true);
  expect([authority.ca, certificate.ca]).toEqual([true, false]);
  expect(certificate.checkPrivateKey(createPrivateKey(keyPem))).toBe(true);
  expect(certificate.publicKey.asymmetricKeyDetails).toMatchObject({ namedCurve: "prime256v1" });
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  expect([spkiFingerprint(certificate), spkiOf(certificatePem)]).toEqual([spki, spki]);
  expect(certificate.serialNumber).toMatch(/^4[0-9A-F]{31}$/);
});

test("the role is what the issuer says, not what the request says; a request that was tampered with is refused", async () => {
  const ca = await makeCa();
  const { csrPem } = await makeServerKeyAndCsr("gateway-server");
  const { certificatePem, spki } = await issueCertificate(ca, "join-server", csrPem);
  const pinned = [{ role: "join-server", fingerprint: spki }] as const;
  expect(peerOf(new X509Certificate(certificatePem), pinned)?.role).toBe("join-server");
  expect(peerOf(new X509Certificate(certificatePem), [{ role: "gateway-server", fingerprint: spki }])).toBe(undefined);
  const lines = csrPem.trim().split("\n");
  const der = Buffer.from(lines.slice(1, -1).join(""), "base64");
  der[der.length - 5] = (der[der.length - 5] as number) ^ 1;
  const tampered = `${lines[0]}\n${der.toString("base64")}\n${lines.at(-1)}\n`;
  await expect(issueCertificate(ca, "join-server", tampered)).rejects.toThrow();
});

test("the CA's key rests encrypted: the passphrase opens it, another does not, and it signs again", async () => {
  const ca = await makeCa();
  const resting = encryptKey(ca.keyPem, "correct horse");
  expect(resting).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
  expect(decryptKey(resting, "correct hose")).toBe(undefined);
  expect(decryptKey(resting, "correct horse")).toBe(ca.keyPem);
});
