/**
 * Making sealed keys. One RSA-OAEP ciphertext carries a fresh transport key T; each key is wrapped under a key KT of its own,
 * which depends on T, on what the key is for and on who may open it. The format and its reasons: docs/sealed-key.md.
 */
import { fromHex, toBase64 } from "./octets.ts";
import type { Receiver } from "./receiver.ts";
import { isSealedRole, keyLengths, type SealedRole } from "./roles.ts";
import { type HeldKey, subtle } from "./webcrypto.ts";

const version = 1;
const noEui = "0000000000000000";
const mostKeys = 16;

export type KeyToSeal = {
  readonly role: SealedRole;
  /** 16 hex digits in lower case. Absent where none applies: both for a KEK or MasterKey. */
  readonly joinEui?: string;
  readonly devEui?: string;
  /** Its octets. They are the caller's to wipe: `key.fill(0)` once this resolved. */
  readonly key: Uint8Array<ArrayBuffer>;
};
export type SealedKey = {
  readonly role: string;
  readonly joinEui: string;
  readonly devEui: string;
  readonly wrapped: string;
};
export type SealedKeys = {
  readonly version: 1;
  readonly to: string;
  readonly transport: string;
  readonly keys: readonly SealedKey[];
};

/** Seals many messages under one transport key: the receiver's costly operation is done once for all of them. */
export type Sealer = { readonly seal: (keys: readonly KeyToSeal[]) => Promise<SealedKeys> };

/** Seals 1 to 16 keys to one receiver. Throws `RangeError` for a role, EUI or length that the format does not have. */
export async function sealKeys(receiver: Receiver, keys: readonly KeyToSeal[]): Promise<SealedKeys> {
  return (await makeSealer(receiver)).seal(keys);
}

export async function makeSealer(receiver: Receiver): Promise<Sealer> {
  return sealerWith(receiver, await subtle.generateKey({ name: "AES-CBC", length: 256 }, true, ["encrypt"]));
}

/** `transport` is extractable for as long as it takes to encrypt it; its octets never come into JavaScript. */
export async function sealerWith(receiver: Receiver, transport: HeldKey): Promise<Sealer> {
  const ciphertext = await subtle.wrapKey("raw", transport, receiver.publicKey, { name: "RSA-OAEP" });
  const shared = { version, to: receiver.fingerprint, transport: toBase64(new Uint8Array(ciphertext)) } as const;
  return {
    async seal(keys) {
      if (keys.length === 0 || keys.length > mostKeys) throw new RangeError(`1 to ${mostKeys} keys make a message`);
      return { ...shared, keys: await Promise.all(keys.map((key) => sealKey(receiver, transport, key))) };
    },
  };
}

async function sealKey(
  receiver: Receiver,
  transport: HeldKey,
  { role, joinEui = noEui, devEui = noEui, key }: KeyToSeal,
): Promise<SealedKey> {
  if (!isSealedRole(role) || !isEui(joinEui) || !isEui(devEui))
    throw new RangeError("a sealed key needs a known role and EUIs of 16 hex digits");
  if (!(keyLengths[role] as readonly number[]).includes(key.length))
    throw new RangeError(`${role}: ${key.length} octets is no length for it`);
  const kt = await deriveSealingKey(transport, contextOf(role, joinEui, devEui, receiver.fingerprint));
  // AES-KW wraps keys only, whatever they are for: this one can do nothing but be wrapped.
  const material = await subtle.importKey("raw", key, { name: "AES-CBC" }, true, ["encrypt"]);
  const wrapped = new Uint8Array(await subtle.wrapKey("raw", material, kt, "AES-KW"));
  return { role, joinEui, devEui, wrapped: toBase64(wrapped) };
}

/** version ‖ role ‖ 00 ‖ JoinEUI ‖ DevEUI ‖ fingerprint */
function contextOf(role: string, joinEui: string, devEui: string, fingerprint: string): Uint8Array<ArrayBuffer> {
  const letters = Array.from(role, (letter) => letter.charCodeAt(0));
  return Uint8Array.of(version, ...letters, 0, ...fromHex(joinEui), ...fromHex(devEui), ...fromHex(fingerprint));
}

/** KT = AES-256-CBC(T, IV 0, no padding, SHA-256(context)): what a token does with CKM_AES_CBC_ENCRYPT_DATA. */
async function deriveSealingKey(transport: HeldKey, context: Uint8Array<ArrayBuffer>): Promise<HeldKey> {
  const algorithm = { name: "AES-CBC", iv: new Uint8Array(16) };
  // WebCrypto always pads: a third block follows the two of the digest, and is left out.
  const octets = await subtle.encrypt(algorithm, transport, await subtle.digest("SHA-256", context));
  try {
    return await subtle.importKey("raw", new Uint8Array(octets, 0, 32), "AES-KW", false, ["wrapKey"]);
  } finally {
    new Uint8Array(octets).fill(0);
  }
}

const isEui = (text: string): boolean => /^[0-9a-f]{16}$/.test(text);
