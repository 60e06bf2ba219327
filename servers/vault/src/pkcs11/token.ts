/**
 * The PKCS #11 engine: every long-lived key in a token, and every other key in it too, for as long as it is used.
 *
 * A token that is gone makes every call a Fault. Each later call tries to begin anew (C_Finalize, C_Initialize, self-test), not oftener
 * than twice a second: nothing else brings a token back. Keys that were out are made again when they are next used (objects.ts), so
 * `generation` never changes here and the process lives on.
 */
import type { Receiver } from "@trefoil/custody";
import { Fault } from "@trefoil/service";
import type { Token, UnwrapUse, Use128, Use256 } from "../token.ts";
import type { Desk } from "./desk.ts";
import { isVague, mayBeRefusal, meansLost } from "./errors.ts";
import { infoOf, type Pkcs11Options } from "./init.ts";
import { derived128, derived256, unwrapped } from "./keys.ts";
import { aesCmac, aesEcb, aesKeyWrap, cbcEncryptData, ecdsa } from "./mechanisms.ts";
import { loadModule, type Module, type ObjectHandle } from "./module.ts";
import { Objects, TokenKey } from "./objects.ts";
import { DamagedKeys, type Opened, openDeskPatiently, openKeys } from "./open.ts";
import { type PinnedFile, readPinned } from "./pinned.ts";
import { sha256 } from "./public-keys.ts";
import { makeTransport, NotATransport, openTransport } from "./transport.ts";

export type OpenPkcs11 = {
  readonly dataDir: string;
  readonly pkcs11: Pkcs11Options;
  /** SoftHSM keeps some 245 octets of each destroyed object until C_Finalize: after so many objects the module begins anew. */
  readonly recycleAfterObjects?: number;
};

/** A join makes 4 to 9 objects: 200,000 joins or so, 300 MB. */
const defaultRecycleAfterObjects = 1_200_000;
/** How often it is asked whether the token is still there: most keys in use are session objects, which survive its absence. */
const askEveryMs = 250;
const beginEveryMs = 500;
/** RFC 3394: how long what is unwrapped may be. */
const wrappedOctets: { readonly [use in UnwrapUse]: readonly number[] } = {
  root: [24],
  transit: [24],
  kek: [24, 32, 40],
  master: [40],
};

/** Opens what initPkcs11 made. */
export function openPkcs11({ dataDir, pkcs11, recycleAfterObjects }: OpenPkcs11): Pkcs11Token {
  const pinned = readPinned(dataDir);
  if (pinned.tokenLabel !== pkcs11.tokenLabel)
    throw new Fault(
      "vault/other-token",
      `this vault's keys are in the token ${pinned.tokenLabel}, not in ${pkcs11.tokenLabel}`,
      {
        retry: "never",
      },
    );
  return new Pkcs11Token(loadModule(pkcs11.module, pkcs11.environment), pkcs11, pinned, recycleAfterObjects);
}

export class Pkcs11Token implements Token<TokenKey> {
  readonly engine = "pkcs11";
  readonly generation = 0;
  readonly published;
  readonly ownerPublicKey: string;
  readonly auditPublicKey: string;
  readonly storageKey: TokenKey;
  readonly #module: Module;
  readonly #options: Pkcs11Options;
  readonly #pinned: PinnedFile;
  readonly #recycleAfter: number;
  readonly #objects: Objects;
  #opened: Opened;
  #openedIn: number;
  #fault: Fault | undefined;
  #triedAt = 0;
  #askedAt = 0;
  /** Alive, and not to be made again by a recipe: the module does not begin anew of itself meanwhile. */
  readonly #irreplaceable = new Set<TokenKey>();

  constructor(module: Module, options: Pkcs11Options, pinned: PinnedFile, recycleAfter = defaultRecycleAfterObjects) {
    this.#module = module;
    this.#options = options;
    this.#pinned = pinned;
    this.#recycleAfter = recycleAfter;
    const { publicKey, fingerprint, auditKey } = infoOf(pinned);
    this.published = { publicKey, fingerprint };
    this.ownerPublicKey = pinned.ownerPublicKey;
    this.auditPublicKey = auditKey;
    this.#objects = new Objects(() => this.#openedIn, this.#remove);
    this.#opened = this.#open();
    this.#openedIn = module.generation;
    this.storageKey = new TokenKey(() => this.#opened.storage, this.#opened.storage, this.#openedIn);
  }

  get place(): string {
    return this.#opened.place;
  }
  get damaged(): readonly string[] {
    return this.#fault instanceof DamagedKeys ? this.#fault.damaged : [];
  }
  handles(): number {
    return this.#objects.alive;
  }
  /** Looks, and begins anew where that is due: whoever asks again sees service resumed. */
  fault(): string | undefined {
    try {
      this.#ready();
      return undefined;
    } catch (error) {
      return (error as Fault).code;
    }
  }
  close(): void {
    this.#opened.desk.close();
    this.#module.finalise();
  }

  signHead(octets: Uint8Array): Uint8Array {
    return this.#do((desk) => desk.sign(ecdsa, this.#opened.audit, sha256(octets), 64));
  }
  openTransport(ciphertext: Uint8Array): TokenKey | undefined {
    const own = ciphertext.slice();
    return this.#unlessRefused(() => this.#objects.make(() => openTransport(this.#opened, own)));
  }
  newTransport({ publicKey }: Receiver): { readonly key: TokenKey; readonly ciphertext: Uint8Array } {
    return this.#do((desk) => {
      const made = makeTransport(desk, publicKey);
      let first: ObjectHandle | undefined = made.key;
      const key = this.#objects.make(() => {
        const handle = first;
        if (handle === undefined)
          throw new Fault("pkcs11/begun-anew", "the token was away meanwhile", { retry: "now" });
        first = undefined;
        return handle;
      });
      this.#irreplaceable.add(key);
      return { key, ciphertext: made.ciphertext };
    });
  }
  derive256(from: TokenKey, twoBlocks: Uint8Array, use: Use256): TokenKey {
    const mechanism = cbcEncryptData(twoBlocks.slice());
    return this.#derive(from, (handle) => this.#opened.desk.objects.derive(mechanism, handle, derived256[use]));
  }
  derive128(from: TokenKey, block: Uint8Array, use: Use128): TokenKey {
    const mechanism = cbcEncryptData(block.slice());
    return this.#derive(from, (handle) => this.#opened.desk.objects.derive(mechanism, handle, derived128[use]));
  }
  unwrap(wrappingKey: TokenKey, wrapped: Uint8Array, use: UnwrapUse): TokenKey | undefined {
    if (!wrappedOctets[use].includes(wrapped.length)) return undefined;
    const own = wrapped.slice();
    const unwrap = (handle: ObjectHandle) => this.#opened.desk.objects.unwrap(aesKeyWrap, handle, own, unwrapped[use]);
    return this.#unlessRefused(() => this.#objects.makeFrom(wrappingKey, unwrap));
  }
  wrap(wrappingKey: TokenKey, key: TokenKey): Uint8Array {
    return this.#do((desk) =>
      this.#objects.use(key, (what) =>
        this.#objects.use(wrappingKey, (under) => desk.objects.wrap(aesKeyWrap, under, what, 40)),
      ),
    );
  }
  cmac(key: TokenKey, message: Uint8Array): Uint8Array {
    return this.#do((desk) => this.#objects.use(key, (handle) => desk.sign(aesCmac, handle, message, 16)));
  }
  decryptBlocks(key: TokenKey, blocks: Uint8Array): Uint8Array {
    return this.#do((desk) => this.#objects.use(key, (handle) => desk.decrypt(aesEcb, handle, blocks)));
  }
  /** Never fails: what cannot be destroyed goes when the module begins anew, which is then due. */
  destroy(key: TokenKey): void {
    this.#irreplaceable.delete(key);
    this.#objects.destroy(key);
  }

  #derive(from: TokenKey, derive: (handle: ObjectHandle) => ObjectHandle): TokenKey {
    return this.#do(() => this.#objects.makeFrom(from, derive));
  }
  #do<T>(work: (desk: Desk) => T): T {
    this.#ready();
    try {
      return work(this.#opened.desk);
    } catch (error) {
      if (meansLost(error) && !(isVague(error) && this.#isThere())) this.#fault = error;
      throw error;
    }
  }
  /** `undefined`: the module found that it was not wrapped so. SoftHSM says so as it says that the token is gone. */
  #unlessRefused(make: () => TokenKey): TokenKey | undefined {
    return this.#do(() => {
      try {
        return make();
      } catch (error) {
        if (!(error instanceof NotATransport) && !mayBeRefusal(error)) throw error;
        if (this.#isThere()) return undefined;
        throw this.#gone();
      }
    });
  }

  #ready(): void {
    const now = performance.now();
    if (this.#fault !== undefined) {
      if (this.#fault.retry === "never" || now - this.#triedAt < beginEveryMs) throw this.#fault;
      this.#begin(now);
    } else if (this.#module.generation !== this.#openedIn) {
      this.#begin(now);
    } else if (this.#objects.made >= this.#recycleAfter && this.#irreplaceable.size === 0) {
      this.#module.finalise();
      this.#begin(now);
    } else if (now - this.#askedAt >= askEveryMs) {
      this.#askedAt = now;
      if (this.#isThere()) return;
      throw this.#gone();
    }
  }
  #begin(now: number): void {
    this.#triedAt = now;
    try {
      if (this.#fault !== undefined) this.#module.finalise();
      this.#opened = this.#open();
      this.#openedIn = this.#module.generation;
      this.#objects.forgetMade();
      this.#fault = undefined;
    } catch (error) {
      this.#fault =
        error instanceof Fault ? error : new Fault("pkcs11/failed", "the token cannot be opened", { cause: error });
      throw this.#fault;
    }
  }
  #open(): Opened {
    const desk = openDeskPatiently(this.#module, this.#options);
    try {
      return openKeys(this.#module, desk, this.#pinned);
    } catch (error) {
      desk.close();
      throw error;
    }
  }
  #gone(): Fault {
    this.#fault = new Fault("pkcs11/token-gone", `the token ${this.#options.tokenLabel} does not answer`);
    return this.#fault;
  }
  #isThere(): boolean {
    try {
      return this.#opened.desk.objects.has(this.#opened.storage, "CLASS");
    } catch {
      return false;
    }
  }
  readonly #remove = (handle: ObjectHandle): void => {
    try {
      this.#opened.desk.objects.destroy(handle);
    } catch (error) {
      if (error instanceof Fault) this.#fault ??= error;
    }
  };
}
