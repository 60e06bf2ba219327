/**
 * Where work on a token is done: two sessions of one process.
 *
 * Objects belong to the session that made them and go with it; operations (sign, decrypt, find) that fail leave their session unusable.
 * So objects are made in one session, which such a failure never touches, and operations run in the other, which is closed and replaced
 * after each failure. Objects of either are seen from both (PKCS #11 v2.40 base §2.6).
 */
import type { Fault } from "@trefoil/service";
import type { Template } from "./attributes.ts";
import type { Mechanism } from "./mechanisms.ts";
import type { Module, ObjectHandle, Session, Slot } from "./module.ts";

export class Desk {
  readonly slot: Slot;
  /** Makes, reads and destroys objects. */
  readonly objects: Session;
  #operations: Session;
  readonly #module: Module;

  constructor(module: Module, slot: Slot) {
    this.#module = module;
    this.slot = slot;
    this.objects = module.openSession(slot);
    this.#operations = module.openSession(slot);
  }
  login(pin: string): void {
    this.objects.login(pin);
  }
  sign(mechanism: Mechanism, key: ObjectHandle, message: Uint8Array, octets: number): Uint8Array {
    return this.#operate((session) => session.sign(mechanism, key, message, octets));
  }
  decrypt(mechanism: Mechanism, key: ObjectHandle, octets: Uint8Array): Uint8Array {
    return this.#operate((session) => session.decrypt(mechanism, key, octets));
  }
  encrypt(mechanism: Mechanism, key: ObjectHandle, octets: Uint8Array): Uint8Array {
    return this.#operate((session) => session.encrypt(mechanism, key, octets));
  }
  find(what: Template): readonly ObjectHandle[] {
    return this.#operate((session) => session.find(what));
  }
  close(): void {
    this.#operations.close();
    this.objects.close();
  }

  #operate<T>(operation: (session: Session) => T): T {
    try {
      return operation(this.#operations);
    } catch (error) {
      this.#operations.close();
      this.#operations = this.#module.openSession(this.slot); // fails only where the token is lost: that Fault says more
      throw error as Fault;
    }
  }
}
