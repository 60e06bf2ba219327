/** AES Key Wrap (RFC 3394) with 128, 192 or 256 bit wrapping keys. The only cipher that a key of ours is ever put under. */
import { createCipheriv, createDecipheriv, createSecretKey } from "node:crypto";
import { takeSecret } from "./octets.ts";

/** RFC 3394 §2.2.3.1 */
const initialValue = new Uint8Array(8).fill(0xa6);
const algorithm = (wrappingKey: Uint8Array) => `id-aes${wrappingKey.length * 8}-wrap`;

export function wrapKey(wrappingKey: Uint8Array, key: Uint8Array): Uint8Array {
  // Octets as they are cost Node four times as much as a KeyObject made of them.
  return createCipheriv(algorithm(wrappingKey), createSecretKey(wrappingKey), initialValue).update(key);
}

/** The key in a view of its own, or `undefined` when it was not wrapped under this wrapping key. The caller wipes it. */
export function unwrapKey(wrappingKey: Uint8Array, wrapped: Uint8Array): Uint8Array | undefined {
  if (wrapped.length < 24 || wrapped.length % 8 !== 0) return undefined;
  const decipher = createDecipheriv(algorithm(wrappingKey), createSecretKey(wrappingKey), initialValue);
  try {
    return takeSecret(decipher.update(wrapped));
  } catch {
    return undefined; // OpenSSL's only way to say that the integrity check failed
  }
}
