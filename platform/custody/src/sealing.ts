/**
 * Making sealed keys (docs/sealed-key.md): one RSA-OAEP ciphertext carries a fresh transport key T, and each key is wrapped under a
 * key of its own that depends on T and on what the key is for. Opening is in opening.ts.
 */
import { constants, createCipheriv, createHash, createSecretKey, publicEncrypt, randomFillSync } from "node:crypto";
import type { SealedKeys } from "@trefoil/wire";
import { isKeyRole, type Key } from "./key.ts";
import { wrapKey } from "./key-wrap.ts";
import { isEui, noEui, parseHex, secretOctets, takeSecret, toBase64 } from "./octets.ts";
import type { Receiver } from "./receiver.ts";

export const sealedVersion = 1;
export const transportOctets = 32;
/** SHA-1 inside OAEP is what PKCS#11 tokens have; the hash is not relied on for collision resistance there. */
export const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" } as const;

/** What a sealed key is bound to: change any of it and the unwrap refuses. */
export type SealedFor = { readonly role: string; readonly joinEui: string; readonly devEui: string };

/** SHA-256(version ‖ role ‖ 00 ‖ JoinEUI ‖ DevEUI ‖ fingerprint): the two blocks that a token encrypts with CKM_AES_CBC_ENCRYPT_DATA. */
export function sealingContext({ role, joinEui, devEui }: SealedFor, fingerprint: string): Uint8Array {
  if (!isKeyRole(role) || !isEui(joinEui) || !isEui(devEui))
    throw new RangeError("a sealed key needs a known role and two EUIs");
  return createHash("sha256")
    .update(Uint8Array.of(sealedVersion))
    .update(`${role}\0`, "ascii")
    .update(joinEui, "hex")
    .update(devEui, "hex")
    .update(parseHex(fingerprint) ?? new Uint8Array(0))
    .digest();
}

/** KT = AES-256-CBC(T, IV 0, no padding, context). The caller wipes it. */
export function deriveSealingKey(transport: Uint8Array, context: Uint8Array): Uint8Array {
  const cipher = createCipheriv("aes-256-cbc", createSecretKey(transport), new Uint8Array(16));
  return takeSecret(cipher.setAutoPadding(false).update(context));
}

export type KeyToSeal = { readonly key: Key; readonly joinEui?: string; readonly devEui?: string };

/** Seals many batches under one transport key, so that the receiver's costly RSA operation is done once for all of them. */
export type Sealer = Disposable & { readonly seal: (keys: readonly KeyToSeal[]) => SealedKeys };

export function makeSealer(
  receiver: Receiver,
  transport: Uint8Array = randomFillSync(secretOctets(transportOctets)),
): Sealer {
  const ciphertext = toBase64(publicEncrypt({ key: receiver.publicKey, ...oaep }, transport));
  return {
    seal: (keys) => ({
      version: sealedVersion,
      to: receiver.fingerprint,
      transport: ciphertext,
      keys: keys.map(({ key, joinEui = noEui, devEui = noEui }) => {
        const kt = deriveSealingKey(
          transport,
          sealingContext({ role: key.role, joinEui, devEui }, receiver.fingerprint),
        );
        const wrapped = toBase64(key.expose((octets) => wrapKey(kt, octets)));
        kt.fill(0);
        return { role: key.role, joinEui, devEui, wrapped };
      }),
    }),
    [Symbol.dispose]: () => void transport.fill(0),
  };
}

/** Seals keys to one receiver under a transport key of their own. */
export function sealKeys(receiver: Receiver, keys: readonly KeyToSeal[]): SealedKeys {
  using sealer = makeSealer(receiver);
  return sealer.seal(keys);
}
