/** The software engine: keys as octets in this process. Declared as software wherever it shows. */
import { createPrivateKey, type KeyObject, privateDecrypt } from "node:crypto";
import {
  deriveSealingKey,
  oaep,
  publishReceiver,
  secretOctets,
  takeSecret,
  transportOctets,
  unwrapKey,
  wrapKey,
} from "@trefoil/custody";
import { decryptBlocks, KeySchedule } from "@trefoil/lorawan";
import type { Token } from "./token.ts";

/** A key in this process. Prints as nothing. */
export class HeldKey {
  readonly #octets: Uint8Array;
  #schedule: KeySchedule | undefined;

  /** Takes over `octets`, which lie in an allocation of more than 64. */
  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }
  expose<T>(use: (octets: Uint8Array) => T): T {
    return use(this.#octets);
  }
  /** Expanded at first use. */
  get schedule(): KeySchedule {
    this.#schedule ??= new KeySchedule(this.#octets);
    return this.#schedule;
  }
  destroy(): void {
    this.#octets.fill(0);
    this.#schedule?.wipe();
    this.#schedule = undefined;
  }
  toJSON(): string {
    return "HeldKey";
  }
}

/** The three things that a software vault keeps (vault-file.ts). `sealingKey` is PKCS #8 in DER. Both secrets are taken over. */
export type SoftwareSecrets = {
  readonly ownerPublicKey: string;
  readonly sealingKey: Uint8Array;
  readonly storageKey: Uint8Array;
};

export function softwareToken({ ownerPublicKey, sealingKey, storageKey }: SoftwareSecrets): Token<HeldKey> {
  const privateKey: KeyObject = createPrivateKey({
    key: Buffer.from(sealingKey.buffer, sealingKey.byteOffset, sealingKey.length),
    format: "der",
    type: "pkcs8",
  });
  sealingKey.fill(0);
  return {
    engine: "software",
    published: publishReceiver(privateKey),
    ownerPublicKey,
    storageKey: new HeldKey(storageKey),
    openTransport(ciphertext) {
      try {
        const transport = takeSecret(privateDecrypt({ key: privateKey, ...oaep }, ciphertext));
        return transport.length === transportOctets ? new HeldKey(transport) : undefined;
      } catch {
        return undefined; // not encrypted to this vault
      }
    },
    // The same mathematics as a sealed key's KT: AES-256-CBC of two blocks.
    deriveWrappingKey: (from, twoBlocks) => new HeldKey(from.expose((key) => deriveSealingKey(key, twoBlocks))),
    deriveKey(from, block) {
      const derived = secretOctets(16);
      from.schedule.encryptBlock(block, 0, derived, 0);
      return new HeldKey(derived);
    },
    unwrap(wrappingKey, wrapped) {
      const key = wrappingKey.expose((octets) => unwrapKey(octets, wrapped));
      return key === undefined ? undefined : new HeldKey(key);
    },
    wrap: (wrappingKey, key) => wrappingKey.expose((wrapping) => key.expose((octets) => wrapKey(wrapping, octets))),
    cmac: (key, message) => key.schedule.cmac(message),
    decryptBlocks(key, blocks) {
      const decrypted = blocks.slice();
      key.expose((octets) => decryptBlocks(octets, decrypted));
      return decrypted;
    },
    destroy: (key) => key.destroy(),
  };
}
