/** The software engine: keys as octets in this process. Declared as software wherever it shows. */
import { AssertionError } from "node:assert";
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomFillSync,
  sign,
} from "node:crypto";
import {
  deriveSealingKey,
  oaep,
  publishReceiver,
  secretOctets,
  takeSecret,
  toBase64,
  transportOctets,
  unwrapKey,
  wrapKey,
} from "@trefoil/custody";
import { decryptBlocks, KeySchedule } from "@trefoil/lorawan";
import type { KeyUse, Token } from "./token.ts";

type Use = KeyUse | "storage" | "transport";
type Operation = "derive256" | "derive128" | "unwrap" | "wrap" | "be wrapped" | "cmac" | "decrypt";
/** token.ts §KeyUse. A token enforces it by attributes; here it finds our own mistakes. */
const can: { readonly [use in Use]: readonly Operation[] } = {
  storage: ["derive256"],
  transport: ["derive256"],
  master: ["derive256"],
  label: ["derive128"],
  root: ["derive128", "cmac", "decrypt"],
  transit: ["be wrapped"],
  "js-int": ["cmac"],
  "js-enc": ["decrypt"],
  kek: ["wrap"],
  wrapping: ["wrap", "unwrap"],
};

/** A key in this process. Prints as nothing. */
export class HeldKey {
  readonly #octets: Uint8Array;
  readonly #use: Use;
  #schedule: KeySchedule | undefined;

  /** Takes over `octets`, which lie in an allocation of more than 64. */
  constructor(octets: Uint8Array, use: Use) {
    this.#octets = octets;
    this.#use = use;
  }
  to<T>(operation: Operation, use: (octets: Uint8Array) => T): T {
    this.#must(operation);
    return use(this.#octets);
  }
  /** Expanded at first use. */
  scheduleTo(operation: Operation): KeySchedule {
    this.#must(operation);
    this.#schedule ??= new KeySchedule(this.#octets);
    return this.#schedule;
  }
  #must(operation: Operation): void {
    if (!can[this.#use].includes(operation))
      throw new AssertionError({ message: `a ${this.#use} key to ${operation}` });
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

/** What a software vault keeps (vault-file.ts). `sealingKey` and `auditKey` are PKCS #8 in DER. All secrets are taken over. */
export type SoftwareSecrets = {
  readonly ownerPublicKey: string;
  readonly sealingKey: Uint8Array;
  readonly auditKey: Uint8Array;
  readonly storageKey: Uint8Array;
};

/** P-256 signatures as r ‖ s (IEEE P1363), as tokens make them. */
const rawEcdsa = (key: KeyObject) => ({ key, dsaEncoding: "ieee-p1363" }) as const;

export function softwareToken({ ownerPublicKey, sealingKey, auditKey, storageKey }: SoftwareSecrets): Token<HeldKey> {
  const sealing = takePrivateKey(sealingKey);
  const audit = takePrivateKey(auditKey);
  let alive = 0;
  const give = (octets: Uint8Array, use: Use): HeldKey => {
    alive += 1;
    return new HeldKey(octets, use);
  };
  return {
    engine: "software",
    place: "this process",
    published: publishReceiver(sealing),
    ownerPublicKey,
    auditPublicKey: toBase64(createPublicKey(audit).export({ format: "der", type: "spki" })),
    signHead: (octets) => sign("sha256", octets, rawEcdsa(audit)),
    fault: () => undefined,
    damaged: [],
    generation: 0,
    handles: () => alive,
    storageKey: new HeldKey(storageKey, "storage"),
    openTransport(ciphertext) {
      try {
        const transport = takeSecret(privateDecrypt({ key: sealing, ...oaep }, ciphertext));
        return transport.length === transportOctets ? give(transport, "transport") : undefined;
      } catch {
        return undefined; // not encrypted to this vault
      }
    },
    newTransport(receiver) {
      const transport = randomFillSync(secretOctets(transportOctets));
      return {
        ciphertext: publicEncrypt({ key: receiver.publicKey, ...oaep }, transport),
        key: give(transport, "transport"),
      };
    },
    // The same mathematics as a sealed key's KT.
    derive256: (from, twoBlocks, use) =>
      give(
        from.to("derive256", (key) => deriveSealingKey(key, twoBlocks)),
        use,
      ),
    derive128(from, block, use) {
      const derived = secretOctets(16);
      from.scheduleTo("derive128").encryptBlock(block, 0, derived, 0);
      return give(derived, use);
    },
    unwrap(wrappingKey, wrapped, use) {
      const key = wrappingKey.to("unwrap", (octets) => unwrapKey(octets, wrapped));
      return key === undefined ? undefined : give(key, use);
    },
    wrap: (wrappingKey, key) =>
      wrappingKey.to("wrap", (wrapping) => key.to("be wrapped", (octets) => wrapKey(wrapping, octets))),
    cmac: (key, message) => key.scheduleTo("cmac").cmac(message),
    decryptBlocks(key, blocks) {
      const decrypted = blocks.slice();
      key.to("decrypt", (octets) => decryptBlocks(octets, decrypted));
      return decrypted;
    },
    destroy(key) {
      alive -= 1;
      key.destroy();
    },
    close: () => {},
  };
}

function takePrivateKey(pkcs8: Uint8Array): KeyObject {
  const der = Buffer.from(pkcs8.buffer, pkcs8.byteOffset, pkcs8.length);
  try {
    return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  } finally {
    pkcs8.fill(0);
  }
}
