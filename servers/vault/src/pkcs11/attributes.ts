/**
 * Attributes of PKCS #11 objects: one row each, with the kind of value that it has. A `Template` was checked once, when it was made: the
 * add-on aborts the process over a value of the wrong type.
 *
 * Spec: PKCS #11 v2.40 (OASIS), base specification §4, and its header's numbers
 */

type Kind = "flag" | "number" | "octets";
type Row = readonly [type: number, kind: Kind];

export const attributes = {
  CLASS: [0x000, "number"],
  TOKEN: [0x001, "flag"],
  PRIVATE: [0x002, "flag"],
  LABEL: [0x003, "octets"],
  VALUE: [0x011, "octets"],
  KEY_TYPE: [0x100, "number"],
  ID: [0x102, "octets"],
  SENSITIVE: [0x103, "flag"],
  ENCRYPT: [0x104, "flag"],
  DECRYPT: [0x105, "flag"],
  WRAP: [0x106, "flag"],
  UNWRAP: [0x107, "flag"],
  SIGN: [0x108, "flag"],
  SIGN_RECOVER: [0x109, "flag"],
  VERIFY: [0x10a, "flag"],
  VERIFY_RECOVER: [0x10b, "flag"],
  DERIVE: [0x10c, "flag"],
  MODULUS: [0x120, "octets"],
  MODULUS_BITS: [0x121, "number"],
  PUBLIC_EXPONENT: [0x122, "octets"],
  VALUE_LEN: [0x161, "number"],
  EXTRACTABLE: [0x162, "flag"],
  NEVER_EXTRACTABLE: [0x164, "flag"],
  ALWAYS_SENSITIVE: [0x165, "flag"],
  MODIFIABLE: [0x170, "flag"],
  EC_PARAMS: [0x180, "octets"],
  EC_POINT: [0x181, "octets"],
  /** Numbers of mechanisms, one CK_ULONG each. */
  ALLOWED_MECHANISMS: [0x4000_0600, "octets"],
} as const satisfies { readonly [name: string]: Row };
export type AttributeName = keyof typeof attributes;

export const objectClass = { publicKey: 2, privateKey: 3, secretKey: 4 } as const;
export const keyType = { rsa: 0, ec: 3, aes: 0x1f } as const;

type ValueOf<K> = K extends "flag" ? boolean : K extends "number" ? number : string | Uint8Array;
export type Values = { readonly [N in AttributeName]?: ValueOf<(typeof attributes)[N][1]> };

/** As the add-on takes it: octets as Buffer, numbers as CK_ULONG, flags as CK_BBOOL. */
type NativeAttribute = { readonly type: number; readonly value: number | boolean | Buffer };

/** What an object shall be, or is looked for by. Only `template` makes one. */
export class Template {
  readonly values: Values;
  readonly native: readonly NativeAttribute[];
  constructor(values: Values) {
    this.values = values;
    this.native = Object.entries(values).map(([name, value]) => nativeAttribute(name as AttributeName, value));
  }
}
/** CKA_MODIFIABLE comes last: SoftHSM refuses whatever follows a CK_FALSE. */
export function template(...parts: readonly Values[]): Template {
  const { MODIFIABLE, ...values }: Values = Object.assign({}, ...parts);
  return new Template(MODIFIABLE === undefined ? values : { ...values, MODIFIABLE });
}

function nativeAttribute(name: AttributeName, value: unknown): NativeAttribute {
  if (!Object.hasOwn(attributes, name)) throw new TypeError(`CKA_${name} is not in the table`);
  const [type, kind] = attributes[name];
  if (kind === "flag" && typeof value === "boolean") return { type, value };
  if (kind === "number" && typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 32)
    return { type, value };
  if (kind === "octets" && typeof value === "string") return { type, value: Buffer.from(value, "utf8") };
  if (kind === "octets" && value instanceof Uint8Array) return { type, value: Buffer.from(value) };
  throw new TypeError(`CKA_${name} has a value that is no ${kind}`);
}

/** CK_ULONG of a 64-bit machine, which all are that Trefoil runs on: 8 octets in the machine's order. */
export const ulongOctets = 8;
export function ulongs(...numbers: readonly number[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(numbers, BigInt).buffer);
}

/**
 * Names of the attributes in which an object differs from what it was meant to be. `read` gives what the token says: `undefined` where it
 * has no such attribute. A flag that should be off may be absent; one that should be on may not.
 */
export function differences(wanted: Template, read: ReadonlyMap<number, Uint8Array | undefined>): readonly string[] {
  return wanted.native
    .filter(({ type, value }) => !agrees(value, read.get(type)))
    .map(({ type }) => `CKA_${nameOf.get(type)}`);
}

const nameOf = new Map<number, string>(Object.entries(attributes).map(([name, [type]]) => [type, name]));

function agrees(wanted: number | boolean | Buffer, read: Uint8Array | undefined): boolean {
  if (wanted === false && read === undefined) return true;
  if (read === undefined) return false;
  if (typeof wanted === "boolean") return read.length === 1 && (read[0] !== 0) === wanted;
  const octets = typeof wanted === "number" ? ulongs(wanted) : wanted;
  return Buffer.compare(octets, read) === 0;
}
