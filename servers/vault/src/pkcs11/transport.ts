/**
 * Transport keys of sealed keys (docs/sealed-key.md): AES-256 that only derives. PKCS #11 tells no length of what came out of RSA-OAEP, so
 * the key is extractable for as long as it takes to wrap it under a key that is thrown away, which shows its length; and for one
 * that is made here, to wrap it for its receiver.
 */
import type { KeyObject } from "node:crypto";
import { keyType, objectClass, template } from "./attributes.ts";
import type { Desk } from "./desk.ts";
import { isVague, meansLost, Pkcs11Fault } from "./errors.ts";
import { derived256, sealingModulusBits, transportChange, unwrapped } from "./keys.ts";
import { aesKeyGen, aesKeyWrap, cbcEncryptData, rsaOaep } from "./mechanisms.ts";
import type { ObjectHandle } from "./module.ts";
import type { Opened } from "./open.ts";
import { sha256 } from "./public-keys.ts";
import { withObjects } from "./trial.ts";

/** It opened, or did not, and is no transport key either way. */
export class NotATransport extends Error {}

const scaleContext = sha256(Buffer.from("TREFOIL-PKCS11-SCALE-1\0", "ascii"));
const wrapped256Octets = 40;

export function openTransport({ desk, storage, sealing }: Opened, ciphertext: Uint8Array): ObjectHandle {
  if (ciphertext.length !== sealingModulusBits / 8) throw new NotATransport();
  const { objects } = desk;
  return withObjects(desk, (own) => {
    const opened = own(objects.unwrap(rsaOaep, sealing, ciphertext, unwrapped["new transport"]));
    const scale = own(objects.derive(cbcEncryptData(scaleContext), storage, derived256.kek));
    orNone(() => {
      if (objects.wrap(aesKeyWrap, scale, opened, 1024).length !== wrapped256Octets) throw new NotATransport();
      own(objects.derive(cbcEncryptData(scaleContext), opened, derived256.kek)); // SoftHSM wraps 31 and 33 octets as 32
    });
    return objects.copy(opened, transportChange);
  });
}

/** A key of odd length can neither be wrapped nor derived from; modules have many words for it. */
function orNone(weigh: () => void): void {
  try {
    weigh();
  } catch (error) {
    if (error instanceof Pkcs11Fault && (!meansLost(error) || isVague(error))) throw new NotATransport();
    throw error;
  }
}

export function makeTransport(desk: Desk, receiver: KeyObject): { key: ObjectHandle; ciphertext: Uint8Array } {
  const { n = "", e = "" } = receiver.export({ format: "jwk" });
  const modulus = Buffer.from(n, "base64url");
  const { objects } = desk;
  return withObjects(desk, (own) => {
    const publicKey = own(
      objects.createObject(
        template({
          ...{ CLASS: objectClass.publicKey, KEY_TYPE: keyType.rsa, TOKEN: false, PRIVATE: false },
          ...{ MODULUS: modulus, PUBLIC_EXPONENT: Buffer.from(e, "base64url") },
          ...{ ENCRYPT: false, VERIFY: false, WRAP: true },
        }),
      ),
    );
    const fresh = own(objects.generateKey(aesKeyGen, derived256["new transport"]));
    const ciphertext = objects.wrap(rsaOaep, publicKey, fresh, modulus.length);
    return { key: objects.copy(fresh, transportChange), ciphertext };
  });
}
