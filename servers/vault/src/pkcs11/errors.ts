/**
 * What a PKCS #11 module answers when it cannot, as a Fault with the CKR name as a slug: CKR_PIN_INCORRECT is "pkcs11/pin-incorrect".
 * The add-on throws in two shapes: an error with a code, or a plain one whose text is "CKR_X:n".
 */
import { Fault, type Retry } from "@trefoil/service";

/** A refused call. `ckr` without its "CKR_". */
export class Pkcs11Fault extends Fault {
  readonly ckr: string;
  readonly operation: string;
  constructor(ckr: string, operation: string) {
    const slug = ckr.toLowerCase().replaceAll("_", "-");
    super(`pkcs11/${slug}`, `the PKCS #11 module refused ${operation}: CKR_${ckr}`, {
      retry: retryOf(ckr),
      fields: { operation },
    });
    this.ckr = ckr;
    this.operation = operation;
  }
}

/** Codes of v2.40 that the add-on knows no name of. */
const unnamed = new Map([
  [0x1b, "ACTION_PROHIBITED"],
  [0x140, "CURVE_NOT_SUPPORTED"],
]);
const shape = /CKR_([A-Z0-9_]+):(\d+)/;

/** Any error of a call to the add-on. Wrong types are bugs of ours and stay what they are. */
export function faultOf(operation: string, error: unknown): unknown {
  const { message, stack, code } = error as {
    readonly message?: string;
    readonly stack?: string;
    readonly code?: number;
  };
  const [, name, number] = shape.exec(`${message} ${stack}`) ?? shape.exec(`${message}:${code}`) ?? [];
  if (name === undefined) return error;
  return new Pkcs11Fault(
    name === "VENDOR_DEFINED" ? (unnamed.get(Number(number)) ?? `VENDOR_DEFINED_${number}`) : name,
    operation,
  );
}

/** Another try with the same PIN could lock the token: only a person can mend it. */
const never = [
  "PIN_INCORRECT",
  "PIN_LOCKED",
  "PIN_EXPIRED",
  "USER_PIN_NOT_INITIALIZED",
  "PIN_LEN_RANGE",
  "PIN_INVALID",
];
const retryOf = (ckr: string): Retry => (never.includes(ckr) ? "never" : "later");

/** How modules say that what was to be unwrapped was not wrapped under this key. SoftHSM has one word for all trouble. */
const refusals = [
  "WRAPPED_KEY_INVALID",
  "WRAPPED_KEY_LEN_RANGE",
  "ENCRYPTED_DATA_INVALID",
  "ENCRYPTED_DATA_LEN_RANGE",
  "DATA_INVALID",
  "DATA_LEN_RANGE",
  "ARGUMENTS_BAD",
  "FUNCTION_FAILED",
  "GENERAL_ERROR",
];
export const mayBeRefusal = (error: unknown): boolean =>
  error instanceof Pkcs11Fault && error.operation === "C_UnwrapKey" && refusals.includes(error.ckr);

/** The module or the token is not what it was: only C_Finalize and C_Initialize help. */
const lost = [
  "CRYPTOKI_NOT_INITIALIZED",
  "DEVICE_ERROR",
  "DEVICE_MEMORY",
  "DEVICE_REMOVED",
  "FUNCTION_FAILED",
  "GENERAL_ERROR",
  "HOST_MEMORY",
  "KEY_HANDLE_INVALID",
  "OBJECT_HANDLE_INVALID",
  "SESSION_CLOSED",
  "SESSION_HANDLE_INVALID",
  "SLOT_ID_INVALID",
  "TOKEN_NOT_PRESENT",
  "TOKEN_NOT_RECOGNIZED",
  "UNWRAPPING_KEY_HANDLE_INVALID",
  "USER_NOT_LOGGED_IN",
  "WRAPPING_KEY_HANDLE_INVALID",
];
/** They say as well that a call did not go, and nothing of the token. */
const vague = ["DEVICE_ERROR", "DEVICE_MEMORY", "FUNCTION_FAILED", "GENERAL_ERROR", "HOST_MEMORY"];
export const isVague = (error: Pkcs11Fault): boolean => vague.includes(error.ckr);
export const meansLost = (error: unknown): error is Pkcs11Fault =>
  error instanceof Pkcs11Fault && lost.includes(error.ckr);
