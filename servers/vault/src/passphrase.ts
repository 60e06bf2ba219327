/**
 * The master passphrase: what the software vault's secrets at rest are encrypted under. By default generated into the vault's own
 * folder, which protects a copied store.sqlite or backup of the other files but not a copied folder; a systemd credential or
 * `vault.passphraseFile` on other media does more.
 */
import { createCipheriv, createDecipheriv, randomBytes, randomFillSync, scryptSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseBase64, secretOctets, takeSecret, toBase64 } from "@trefoil/custody";
import { Fault } from "@trefoil/service";
import { writeDurably } from "./files.ts";

const fileName = "passphrase";
const credential = "credential:";
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Where the passphrase is: as configured (a path, or `credential:NAME` under $CREDENTIALS_DIRECTORY), else in the vault's own folder. */
export function passphrasePath(dataDir: string, configured: string | undefined): string {
  if (configured === undefined) return join(dataDir, fileName);
  if (!configured.startsWith(credential)) return configured;
  const folder = process.env.CREDENTIALS_DIRECTORY;
  const name = configured.slice(credential.length);
  if (folder === undefined || !/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name))
    throw new Fault("vault/no-passphrase", `${configured}: systemd gave this process no such credential`, {
      retry: "never",
    });
  return join(folder, name);
}

/** Makes a passphrase of 43 characters (258 bits) in the vault's own folder. */
export function generatePassphrase(path: string): void {
  const characters = randomFillSync(secretOctets(43));
  for (const [i, octet] of characters.entries()) characters[i] = alphabet.charCodeAt(octet & 63);
  writeDurably(path, characters);
  characters.fill(0);
}

/** The passphrase without the newline that editors add. The caller wipes it. */
export function readPassphrase(path: string): Uint8Array {
  let octets: Buffer;
  try {
    octets = readFileSync(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Fault("vault/no-passphrase", `the vault's passphrase file ${path} cannot be read (${code})`, {
      retry: "never",
      cause,
    });
  }
  const all = takeSecret(octets);
  let end = all.length;
  while (end > 0 && (all[end - 1] === 10 || all[end - 1] === 13)) end -= 1;
  if (end < 12)
    throw new Fault("vault/short-passphrase", `the vault's passphrase file ${path} has fewer than 12 characters`, {
      retry: "never",
    });
  return all.subarray(0, end);
}

/** scrypt (RFC 7914); stored beside what it protects. */
export type Kdf = {
  readonly name: "scrypt";
  readonly salt: string;
  readonly n: number;
  readonly r: number;
  readonly p: number;
};
export const newKdf = (): Kdf => ({ name: "scrypt", salt: toBase64(randomBytes(32)), n: 32_768, r: 8, p: 1 });

/** The caller wipes both. */
export function masterKey(passphrase: Uint8Array, { salt, n, r, p }: Kdf): Uint8Array {
  return takeSecret(scryptSync(passphrase, parseBase64(salt) ?? "", 32, { N: n, r, p, maxmem: 256 * n * r }));
}

/** AES-256-GCM: nonce 12 ‖ ciphertext ‖ tag 16, in base64. `about` is authenticated with it. */
export function encryptSecret(master: Uint8Array, secret: Uint8Array, about: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", master, nonce).setAAD(Buffer.from(about));
  return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]).toString("base64");
}

/** `undefined` when the passphrase is wrong, or anything was changed. */
export function decryptSecret(master: Uint8Array, text: string, about: string): Uint8Array | undefined {
  const octets = parseBase64(text);
  if (octets === undefined || octets.length < 28) return undefined;
  const decipher = createDecipheriv("aes-256-gcm", master, octets.subarray(0, 12))
    .setAAD(Buffer.from(about))
    .setAuthTag(octets.subarray(-16));
  const secret = takeSecret(decipher.update(octets.subarray(12, -16)));
  try {
    decipher.final();
    return secret;
  } catch {
    secret.fill(0);
    return undefined;
  }
}
