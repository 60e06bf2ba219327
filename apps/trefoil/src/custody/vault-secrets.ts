/**
 * What the software vault keeps, opened by the verifier with the passphrase beside it: a key that is searched for must be known. No part of
 * Trefoil but this proof does so, and only on a vault that it made itself a moment ago.
 */
import { createDecipheriv, createPrivateKey, scryptSync } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Secret } from "./needles.ts";

type VaultFile = {
  readonly format: number;
  readonly ownerPublicKey: string;
  readonly kdf: { readonly salt: string; readonly n: number; readonly r: number; readonly p: number };
  readonly [secret: string]: unknown;
};

export function vaultSecrets(folder: string): readonly Secret[] {
  const passphraseFile = join(folder, "passphrase");
  if (!existsSync(passphraseFile)) return [];
  const passphrase = Buffer.from(readFileSync(passphraseFile, "utf8").trim());
  const file = JSON.parse(readFileSync(join(folder, "vault.json"), "utf8")) as VaultFile;
  const { salt, n, r, p } = file.kdf;
  const wrapping = scryptSync(passphrase, Buffer.from(salt, "base64"), 32, { N: n, r, p, maxmem: 256 * n * r });
  const open = (name: string): Uint8Array | undefined =>
    typeof file[name] === "string" ? decrypt(wrapping, file[name], file, name) : undefined;
  const storageKey = open("storageKey");
  const privateKeys = ["sealingKey", "auditKey"].flatMap((name) => {
    const der = open(name);
    return der === undefined ? [] : partsOf(name, der);
  });
  return [
    { kind: "passphrase", name: "passphrase of the vault", octets: passphrase },
    ...(storageKey ? [{ kind: "storage key", name: "storage key of the vault", octets: storageKey } as const] : []),
    ...privateKeys,
  ];
}

/** AES-256-GCM: nonce 12 ‖ ciphertext ‖ tag 16. */
function decrypt(wrapping: Uint8Array, text: string, { format, ownerPublicKey }: VaultFile, name: string): Uint8Array {
  const octets = Buffer.from(text, "base64");
  const decipher = createDecipheriv("aes-256-gcm", wrapping, octets.subarray(0, 12))
    .setAAD(Buffer.from(`TREFOIL-VAULT-${format}\0${name}\0${ownerPublicKey}`))
    .setAuthTag(octets.subarray(-16));
  return new Uint8Array(Buffer.concat([decipher.update(octets.subarray(12, -16)), decipher.final()]));
}

/** What of a private key gives all of it away: its exponent, its primes. */
export function partsOf(name: string, der: Uint8Array): readonly Secret[] {
  const jwk = createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" }).export({ format: "jwk" });
  return (["d", "p", "q"] as const).flatMap((part): Secret[] =>
    jwk[part] === undefined
      ? []
      : [
          {
            kind: "vault's private key",
            name: `${part} of the vault's ${name}`,
            octets: new Uint8Array(Buffer.from(jwk[part] as string, "base64url")),
          },
        ],
  );
}
