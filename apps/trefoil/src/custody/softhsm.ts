/**
 * A SoftHSM token of the proof's own, for the network's vault; and the keys in it, read from its files with the PIN. No program gets them from
 * a token through PKCS #11, and that is the point of one: the verifier opens SoftHSM's files as their format is, since a key that is
 * searched for must be known.
 */
import { spawnSync } from "node:child_process";
import { createDecipheriv, createHash, randomBytes } from "node:crypto";
import { chownSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "@trefoil/service";
import { UserError } from "../commands/output.ts";
import { decideUsers } from "../supervisor/users.ts";
import type { Secret } from "./needles.ts";

const modules = [
  ...(process.env.SOFTHSM2_MODULE ? [process.env.SOFTHSM2_MODULE] : []),
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/lib64/pkcs11/libsofthsm2.so",
  ...globSync("/usr/lib/*/softhsm/libsofthsm2.so"),
  "/usr/lib/pkcs11/libsofthsm2.so",
  "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];
const tokenLabel = "custody";

/** Where SoftHSM is, when it is installed. */
export const softHsmModule = (): string | undefined => modules.find((path) => existsSync(path));

export type Token = {
  readonly vault: Config["vault"];
  /** To be searched like the vault's own. */
  readonly folder: string;
  readonly pin: string;
};

/** Makes a token in `folder`, with a PIN that nobody else has, for the user that the vault will be. */
export function makeToken(folder: string, dataDir: string, config: Config): Token {
  const module = softHsmModule();
  if (module === undefined)
    throw new UserError("custody/no-softhsm", "SoftHSM is not installed (Debian: apt-get install softhsm2)");
  const tokens = join(folder, "tokens");
  mkdirSync(tokens, { recursive: true, mode: 0o700 });
  const pin = randomBytes(24).toString("base64url");
  const [confFile, pinFile] = [join(folder, "softhsm2.conf"), join(folder, "pin")];
  writeFileSync(confFile, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  writeFileSync(pinFile, `${pin}\n`, { mode: 0o600 });
  const environment = { SOFTHSM2_CONF: confFile };
  // The tool knows no other way for a PIN; this token is the proof's own, and goes with it.
  const made = spawnSync(
    "softhsm2-util",
    ["--init-token", "--free", "--label", tokenLabel, "--so-pin", randomBytes(16).toString("hex"), "--pin", pin],
    { env: { ...process.env, ...environment }, encoding: "utf8" },
  );
  if (made.status !== 0) throw new UserError("custody/no-softhsm", `softhsm2-util: ${made.stderr ?? made.error}`);
  const users = decideUsers(dataDir, config.users);
  if (users.are === "separate")
    for (const path of [folder, ...below(folder)]) chownSync(path, users.of.vault.uid, users.of.vault.gid);
  return {
    vault: { ...config.vault, engine: "pkcs11", pkcs11: { module, tokenLabel, pinFile, environment } },
    folder,
    pin,
  };
}

const below = (folder: string): string[] =>
  readdirSync(folder, { recursive: true }).map((name) => join(folder, String(name)));

/** The PIN, and what the token keeps: its secret key, the parts of its private keys. */
export function tokenSecrets({ folder, pin }: Token): readonly Secret[] {
  const files = below(folder).filter((path) => path.endsWith(".object"));
  const wrapped = files
    .map(readObject)
    .find((object) => object.has(attribute.userPin))
    ?.get(attribute.userPin);
  const key = wrapped === undefined ? undefined : openTokenKey(wrapped, pin);
  if (key === undefined) throw new UserError("custody/token", "the token of the proof does not open");
  const secrets = files.map(readObject).flatMap((object): Secret[] => {
    const kind = object.get(attribute.class)?.at(-1);
    const part = (name: keyof typeof attribute) => {
      const sealed = object.get(attribute[name]);
      return sealed === undefined || sealed.length === 0 ? [] : [new Uint8Array(decrypt(key, sealed))];
    };
    if (kind === secretKeyClass)
      return part("value").map((octets) => ({ kind: "storage key", name: "storage key in the token", octets }));
    if (kind !== privateKeyClass) return [];
    return (["value", "privateExponent", "prime1", "prime2"] as const).flatMap((name) =>
      part(name).map((octets) => ({
        kind: "vault's private key",
        name: `${name} of a private key of the token`,
        octets,
      })),
    );
  });
  return [{ kind: "passphrase", name: "PIN of the token", octets: Buffer.from(pin) }, ...secrets];
}

/** PKCS #11, and SoftHSM's own. */
const attribute = {
  class: 0x0,
  value: 0x11,
  privateExponent: 0x123,
  prime1: 0x124,
  prime2: 0x125,
  userPin: 0x8000534d,
};
const [privateKeyClass, secretKeyClass] = [3, 4];

/** A file of SoftHSM's file store: u64be generation, then attributes: u64be type ‖ u64be kind ‖ value. */
function readObject(path: string): ReadonlyMap<number, Buffer> {
  const file = readFileSync(path);
  const attributes = new Map<number, Buffer>();
  const u64 = (at: number) => Number(file.readBigUInt64BE(at));
  for (let at = 8; at + 16 < file.length; ) {
    const [type, kind] = [u64(at), u64(at + 8)];
    at += 16;
    // Boolean, unsigned long; octets and the rest bring their length along.
    const [head, length] = kind === 1 ? [0, 1] : kind === 2 ? [0, 8] : [8, u64(at)];
    attributes.set(type, file.subarray(at + head, at + head + length));
    if (kind > 3) break;
    at += head + length;
  }
  return attributes;
}

/** salt 8 ‖ IV 16 ‖ AES-256-CBC under the PIN's key of: magic 3 ‖ the token's key. The PIN's key: 1500 + last octet of the salt rounds of SHA-256. */
function openTokenKey(wrapped: Buffer, pin: string): Buffer {
  const salt = wrapped.subarray(0, 8);
  const rounds = 1_500 + (salt[7] as number);
  let pinKey = createHash("sha256").update(salt).update(pin).digest();
  for (let i = 1; i < rounds; i++) pinKey = createHash("sha256").update(pinKey).digest();
  return decrypt(pinKey, wrapped.subarray(8)).subarray(3);
}

/** IV 16 ‖ AES-256-CBC. */
function decrypt(key: Uint8Array, octets: Buffer): Buffer {
  const decipher = createDecipheriv("aes-256-cbc", key, octets.subarray(0, 16));
  return Buffer.concat([decipher.update(octets.subarray(16)), decipher.final()]);
}
