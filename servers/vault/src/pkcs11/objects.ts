/**
 * Session objects that outlive the module's initialisation. C_Finalize takes every object with it, and the vault needs it: SoftHSM keeps
 * some 245 octets of each destroyed object until then, and a token that was away comes back by nothing else. So a key is kept as how it
 * was made (from public things and other keys), and is made again at its next use.
 */
import { AssertionError } from "node:assert";
import type { ObjectHandle } from "./module.ts";

/** Makes the object in the token. Whatever it needs but for keys is in the closure, and public: ciphertexts, blocks, templates. */
export type Recipe = () => ObjectHandle;

/** A key in the token. Prints as nothing. */
export class TokenKey {
  readonly #recipe: Recipe;
  #handle: ObjectHandle;
  #generation: number;
  #destroyed = false;

  constructor(recipe: Recipe, handle: ObjectHandle, generation: number) {
    this.#recipe = recipe;
    this.#handle = handle;
    this.#generation = generation;
  }
  static use<T>(key: TokenKey, generation: number, use: (handle: ObjectHandle) => T, remove: Remove): T {
    if (key.#generation === generation && !key.#destroyed) return use(key.#handle);
    const handle = key.#recipe();
    if (!key.#destroyed) {
      key.#handle = handle;
      key.#generation = generation;
      return use(handle);
    }
    // It was destroyed once; only the recipe of another key can ask for it still.
    try {
      return use(handle);
    } finally {
      remove(handle);
    }
  }
  static isDestroyed(key: TokenKey): boolean {
    return key.#destroyed;
  }
  /** The handle to be destroyed, if it still stands. A second time there is none. */
  static destroy(key: TokenKey, generation: number): { readonly first: boolean; readonly handle?: ObjectHandle } {
    const first = !key.#destroyed;
    key.#destroyed = true;
    return first && key.#generation === generation ? { first, handle: key.#handle } : { first };
  }
  toJSON(): string {
    return "TokenKey";
  }
}
type Remove = (handle: ObjectHandle) => void;

/** Counts what is alive and what was ever made since the module was initialised. */
export class Objects {
  readonly #generation: () => number;
  readonly #remove: Remove;
  #alive = 0;
  #made = 0;

  constructor(generation: () => number, remove: Remove) {
    this.#generation = generation;
    this.#remove = remove;
  }
  get alive(): number {
    return this.#alive;
  }
  get made(): number {
    return this.#made;
  }
  forgetMade(): void {
    this.#made = 0;
  }
  make(recipe: Recipe): TokenKey {
    const counted = () => {
      this.#made += 1;
      return recipe();
    };
    const key = new TokenKey(counted, counted(), this.#generation());
    this.#alive += 1;
    return key;
  }
  makeFrom(from: TokenKey, derive: (handle: ObjectHandle) => ObjectHandle): TokenKey {
    let first = true;
    return this.make(() => {
      const use = first ? this.use : this.useAgain;
      first = false;
      return use.call(this, from, derive) as ObjectHandle;
    });
  }
  /** For the vault: a key that it destroyed is none. */
  use<T>(key: TokenKey, use: (handle: ObjectHandle) => T): T {
    if (TokenKey.isDestroyed(key)) throw new AssertionError({ message: "a key that was destroyed is used" });
    return this.useAgain(key, use);
  }
  /** For recipes: what a key was made from may be gone by now. */
  useAgain<T>(key: TokenKey, use: (handle: ObjectHandle) => T): T {
    return TokenKey.use(key, this.#generation(), use, this.#remove);
  }
  destroy(key: TokenKey): void {
    const { first, handle } = TokenKey.destroy(key, this.#generation());
    if (first) this.#alive -= 1;
    if (handle !== undefined) this.#remove(handle);
  }
}
