/**
 * The one door to the native add-on: nothing else imports pkcs11js (scripts/architecture.cjs). Every argument's type is checked before it
 * is handed over, as the add-on frees memory that it never had over wrong ones; every refusal leaves as a Fault.
 *
 * Calls are synchronous on purpose: the asynchronous ones are slower and leak. One module is loaded once in a process, whoever asks.
 */
import { createRequire } from "node:module";
import { Fault } from "@trefoil/service";
import { type AttributeName, attributes, Template, ulongOctets } from "./attributes.ts";
import { faultOf } from "./errors.ts";
import { Mechanism } from "./mechanisms.ts";

declare const brand: unique symbol;
export type Slot = Buffer & { readonly [brand]: "slot" };
export type SessionHandle = Buffer & { readonly [brand]: "session" };
export type ObjectHandle = Buffer & { readonly [brand]: "object" };

/** What is used of the add-on's class (its own types would need it to be installed). */
type Call =
  | "C_CloseSession"
  | "C_CopyObject"
  | "C_CreateObject"
  | "C_Decrypt"
  | "C_DecryptInit"
  | "C_DeriveKey"
  | "C_DestroyObject"
  | "C_Encrypt"
  | "C_EncryptInit"
  | "C_Finalize"
  | "C_FindObjects"
  | "C_FindObjectsFinal"
  | "C_FindObjectsInit"
  | "C_GenerateKey"
  | "C_GenerateKeyPair"
  | "C_GetAttributeValue"
  | "C_GetMechanismList"
  | "C_GetSlotList"
  | "C_GetTokenInfo"
  | "C_Initialize"
  | "C_Login"
  | "C_OpenSession"
  | "C_Sign"
  | "C_SignInit"
  | "C_UnwrapKey"
  | "C_WrapKey";
// biome-ignore lint/suspicious/noExplicitAny: each use below names its own types, and checks them
type Native = { load(path: string): void } & { readonly [C in Call]: (...args: readonly any[]) => any };
type AddOn = { readonly PKCS11: new () => Native };

const osLocking = 2; // CKF_OS_LOCKING_OK: without it SoftHSM turns its mutexes off
const readWriteSerial = 6; // CKF_RW_SESSION | CKF_SERIAL_SESSION
const userType = 1; // CKU_USER

let addOn: AddOn | undefined;

/** Loads the native code, not yet a module: before the drop of rights, as it may lie where the vault's user cannot read. */
export function loadAddOn(): void {
  if (addOn !== undefined) return;
  try {
    addOn = createRequire(import.meta.url)("pkcs11js") as AddOn;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why =
      code === "ERR_DLOPEN_DISABLED"
        ? "this process may not load native code (--allow-addons)"
        : `the npm package pkcs11js is not installed or was not built (${code}): see docs/hsm.md`;
    throw new Fault("pkcs11/no-add-on", `the PKCS #11 engine cannot start: ${why}`, { retry: "never", cause });
  }
}

const loaded = new Map<string, Module>();

/** `environment`: the module's own variables (SOFTHSM2_CONF and its like), set before it is loaded. */
export function loadModule(path: string, environment: { readonly [name: string]: string } = {}): Module {
  loadAddOn();
  Object.assign(process.env, environment);
  const known = loaded.get(path);
  if (known !== undefined) return known;
  const native = new (addOn as AddOn).PKCS11();
  try {
    native.load(path);
  } catch (cause) {
    throw new Fault("pkcs11/no-module", `the PKCS #11 module ${path} cannot be loaded`, { retry: "never", cause });
  }
  const made = new Module(native);
  loaded.set(path, made);
  return made;
}

function buffer(octets: Uint8Array): Buffer {
  if (!(octets instanceof Uint8Array)) throw new TypeError("octets are expected");
  return Buffer.isBuffer(octets) ? octets : Buffer.from(octets.buffer, octets.byteOffset, octets.length);
}
function handle<H extends Buffer>(value: H): H {
  if (!Buffer.isBuffer(value) || value.length !== ulongOctets) throw new TypeError("a handle is expected");
  return value;
}
function native(value: Mechanism | Template): object {
  if (!(value instanceof Mechanism) && !(value instanceof Template))
    throw new TypeError("a mechanism or template is expected");
  return value.native;
}
function call<T>(operation: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw faultOf(operation, error);
  }
}
const ignoring = (run: () => void) => {
  try {
    run();
  } catch {
    // It is given up either way.
  }
};

export class Module {
  readonly #native: Native;
  #generation = 0;
  #initialised = false;
  constructor(native: Native) {
    this.#native = native;
  }
  /** Handles of another generation are worth nothing. */
  get generation(): number {
    return this.#generation;
  }
  ensureInitialised(): void {
    if (this.#initialised) return;
    call("C_Initialize", () => this.#native.C_Initialize({ flags: osLocking }));
    this.#initialised = true;
  }
  /** Ends every session of this process, and frees what SoftHSM keeps of destroyed objects. Never fails. */
  finalise(): void {
    ignoring(() => this.#native.C_Finalize());
    this.#initialised = false;
    this.#generation += 1;
  }
  /** Slots that hold a token with this label. A slot that cannot be asked is passed over. */
  slotsOf(tokenLabel: string): readonly Slot[] {
    const slots: readonly Slot[] = call("C_GetSlotList", () => this.#native.C_GetSlotList(true));
    return slots.filter((slot) => {
      try {
        return String(this.#native.C_GetTokenInfo(handle(slot)).label).trimEnd() === tokenLabel;
      } catch {
        return false;
      }
    });
  }
  /** "SoftHSM project SoftHSM v2 2.6": for people. */
  describe(slot: Slot): string {
    const { manufacturerID, model, firmwareVersion } = call("C_GetTokenInfo", () =>
      this.#native.C_GetTokenInfo(handle(slot)),
    );
    const version = `${firmwareVersion?.major}.${firmwareVersion?.minor}`;
    return [manufacturerID, model, version].map((part) => String(part).trim()).join(" ");
  }
  mechanisms(slot: Slot): readonly number[] {
    return call("C_GetMechanismList", () => this.#native.C_GetMechanismList(handle(slot)));
  }
  openSession(slot: Slot): Session {
    const opened = call("C_OpenSession", () => this.#native.C_OpenSession(handle(slot), readWriteSerial));
    return new Session(this.#native, slot, opened);
  }
}

/** Calls in one session. Only `sign`, `decrypt`, `encrypt` and `find` leave something behind in it when they fail: see Desk. */
export class Session {
  readonly slot: Slot;
  readonly #native: Native;
  readonly #session: SessionHandle;
  constructor(native: Native, slot: Slot, session: SessionHandle) {
    this.#native = native;
    this.slot = slot;
    this.#session = handle(session);
  }
  close(): void {
    ignoring(() => this.#native.C_CloseSession(this.#session));
  }
  /** All sessions of the process are logged in with it. The add-on takes the PIN as a string. */
  login(pin: string): void {
    if (typeof pin !== "string") throw new TypeError("a PIN is expected");
    try {
      call("C_Login", () => this.#native.C_Login(this.#session, userType, pin));
    } catch (error) {
      if ((error as { ckr?: string }).ckr !== "USER_ALREADY_LOGGED_IN") throw error;
    }
  }

  generateKey(mechanism: Mechanism, what: Template): ObjectHandle {
    const [by, as] = [native(mechanism), native(what)];
    return call("C_GenerateKey", () => this.#native.C_GenerateKey(this.#session, by, as));
  }
  generateKeyPair(mechanism: Mechanism, publicKey: Template, privateKey: Template) {
    const [by, first, second] = [native(mechanism), native(publicKey), native(privateKey)];
    return call<{ publicKey: ObjectHandle; privateKey: ObjectHandle }>("C_GenerateKeyPair", () =>
      this.#native.C_GenerateKeyPair(this.#session, by, first, second),
    );
  }
  createObject(what: Template): ObjectHandle {
    const as = native(what);
    return call("C_CreateObject", () => this.#native.C_CreateObject(this.#session, as));
  }
  copy(object: ObjectHandle, change: Template): ObjectHandle {
    const [from, as] = [handle(object), native(change)];
    return call("C_CopyObject", () => this.#native.C_CopyObject(this.#session, from, as));
  }
  derive(mechanism: Mechanism, from: ObjectHandle, what: Template): ObjectHandle {
    const [by, base, as] = [native(mechanism), handle(from), native(what)];
    return call("C_DeriveKey", () => this.#native.C_DeriveKey(this.#session, by, base, as));
  }
  unwrap(mechanism: Mechanism, wrappingKey: ObjectHandle, wrapped: Uint8Array, what: Template): ObjectHandle {
    const [by, under, from, as] = [native(mechanism), handle(wrappingKey), buffer(wrapped), native(what)];
    return call("C_UnwrapKey", () => this.#native.C_UnwrapKey(this.#session, by, under, from, as));
  }
  wrap(mechanism: Mechanism, wrappingKey: ObjectHandle, key: ObjectHandle, mostOctets: number): Uint8Array {
    const [by, under, what, into] = [native(mechanism), handle(wrappingKey), handle(key), Buffer.alloc(mostOctets)];
    return call("C_WrapKey", () => this.#native.C_WrapKey(this.#session, by, under, what, into));
  }
  destroy(object: ObjectHandle): void {
    handle(object);
    call("C_DestroyObject", () => this.#native.C_DestroyObject(this.#session, object));
  }
  /** By number; `undefined` where the object has no such attribute, or the token does not let it out. */
  read(object: ObjectHandle, names: readonly AttributeName[]): ReadonlyMap<number, Uint8Array | undefined> {
    handle(object);
    return new Map(
      names.map((name) => {
        const [type] = attributes[name];
        try {
          const [{ value }] = call("C_GetAttributeValue", () =>
            this.#native.C_GetAttributeValue(this.#session, object, [{ type }]),
          );
          return [type, value];
        } catch (error) {
          const { ckr } = error as { ckr?: string };
          if (ckr === "ATTRIBUTE_TYPE_INVALID" || ckr === "ATTRIBUTE_SENSITIVE") return [type, undefined];
          throw error;
        }
      }),
    );
  }

  has(object: ObjectHandle, name: AttributeName): boolean {
    return this.read(object, [name]).get(attributes[name][0]) !== undefined;
  }

  sign(mechanism: Mechanism, key: ObjectHandle, message: Uint8Array, octets: number): Uint8Array {
    const [by, under, what, into] = [native(mechanism), handle(key), buffer(message), Buffer.alloc(octets)];
    return call(`C_Sign with ${mechanism.name}`, () => {
      this.#native.C_SignInit(this.#session, by, under);
      return this.#native.C_Sign(this.#session, what, into);
    });
  }
  decrypt(mechanism: Mechanism, key: ObjectHandle, octets: Uint8Array): Uint8Array {
    const [by, under, what] = [native(mechanism), handle(key), buffer(octets)];
    return call(`C_Decrypt with ${mechanism.name}`, () => {
      this.#native.C_DecryptInit(this.#session, by, under);
      return this.#native.C_Decrypt(this.#session, what, Buffer.alloc(what.length));
    });
  }
  encrypt(mechanism: Mechanism, key: ObjectHandle, octets: Uint8Array): Uint8Array {
    const [by, under, what] = [native(mechanism), handle(key), buffer(octets)];
    return call(`C_Encrypt with ${mechanism.name}`, () => {
      this.#native.C_EncryptInit(this.#session, by, under);
      return this.#native.C_Encrypt(this.#session, what, Buffer.alloc(what.length));
    });
  }
  find(what: Template): readonly ObjectHandle[] {
    const by = native(what);
    return call("C_FindObjects", () => {
      this.#native.C_FindObjectsInit(this.#session, by);
      try {
        const found: ObjectHandle[] = [];
        for (;;) {
          const some: ObjectHandle[] = this.#native.C_FindObjects(this.#session, 1_000);
          if (some.length === 0) return found;
          found.push(...some);
        }
      } finally {
        this.#native.C_FindObjectsFinal(this.#session);
      }
    });
  }
}
