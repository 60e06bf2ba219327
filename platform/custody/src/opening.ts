/** Opening sealed keys: only the receiver can, and only for the role and the EUIs that they were sealed for. */
import { createPublicKey, type KeyObject, privateDecrypt } from "node:crypto";
import type { SealedKey, SealedKeys } from "@trefoil/wire";
import { isKeyLength, isKeyRole, Key } from "./key.ts";
import { unwrapKey } from "./key-wrap.ts";
import { isEui, parseBase64, takeSecret } from "./octets.ts";
import { fingerprintOf } from "./receiver.ts";
import { isRecord } from "./record.ts";
import { deriveSealingKey, oaep, sealedVersion, sealingContext, transportOctets } from "./sealing.ts";

export type OpenedKey = { readonly key: Key; readonly joinEui: string; readonly devEui: string };
export type Opened =
  | { readonly result: "opened"; readonly keys: readonly OpenedKey[] }
  | {
      readonly result: "refused";
      readonly code: "sealed/malformed" | "sealed/not-for-this-receiver" | "sealed/transport" | "sealed/changed";
    };

const maximumKeys = 16;
const maximumTransportOctets = 1024; // RSA of 8192 bits

/** Parses what came over a wire. Says nothing about whether it can be opened. */
export function parseSealedKeys(value: unknown): SealedKeys | undefined {
  if (!isRecord(value) || value.version !== sealedVersion) return undefined;
  const { to, transport, keys } = value;
  if (typeof to !== "string" || !/^[0-9a-f]{64}$/.test(to)) return undefined;
  if (
    typeof transport !== "string" ||
    (parseBase64(transport)?.length ?? Number.POSITIVE_INFINITY) > maximumTransportOctets
  )
    return undefined;
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > maximumKeys) return undefined;
  const parsed = keys.map(parseSealedKey);
  return parsed.every((key) => key !== undefined) ? { version: sealedVersion, to, transport, keys: parsed } : undefined;
}

function parseSealedKey(value: unknown): SealedKey | undefined {
  if (!isRecord(value)) return undefined;
  const { role, joinEui, devEui, wrapped } = value;
  if (!isKeyRole(role) || !isEui(joinEui) || !isEui(devEui)) return undefined;
  const octets = parseBase64(wrapped);
  return octets !== undefined && isKeyLength(role, octets.length - 8)
    ? { role, joinEui, devEui, wrapped: wrapped as string }
    : undefined;
}

/** Opens what is sealed to one private key. Batches that share a transport key cost one RSA operation. */
export type Opener = Disposable & { readonly fingerprint: string; readonly open: (sealed: unknown) => Opened };

export function makeOpener(privateKey: KeyObject, rememberedTransports = 8): Opener {
  const fingerprint = fingerprintOf(createPublicKey(privateKey));
  const remembered = new Map<string, Uint8Array>(); // the newest is last

  function transportOf(ciphertext: string): Uint8Array | undefined {
    const known = remembered.get(ciphertext);
    const transport = known ?? openTransport(privateKey, ciphertext);
    if (transport === undefined) return undefined;
    remembered.delete(ciphertext);
    for (const [oldest, secret] of remembered) {
      if (remembered.size < rememberedTransports) break;
      secret.fill(0);
      remembered.delete(oldest);
    }
    remembered.set(ciphertext, transport);
    return transport;
  }

  return {
    fingerprint,
    open(value) {
      const sealed = parseSealedKeys(value);
      if (sealed === undefined) return { result: "refused", code: "sealed/malformed" };
      if (sealed.to !== fingerprint) return { result: "refused", code: "sealed/not-for-this-receiver" };
      const transport = transportOf(sealed.transport);
      if (transport === undefined) return { result: "refused", code: "sealed/transport" };
      const keys = sealed.keys.map((key) => openKey(transport, key, fingerprint));
      if (keys.every((key) => key !== undefined)) return { result: "opened", keys };
      for (const opened of keys) opened?.key[Symbol.dispose]();
      return { result: "refused", code: "sealed/changed" };
    },
    [Symbol.dispose]() {
      for (const secret of remembered.values()) secret.fill(0);
      remembered.clear();
    },
  };
}

/** Opens once, remembering nothing. Servers that see batches keep an Opener. */
export function openSealed(privateKey: KeyObject, sealed: unknown): Opened {
  using opener = makeOpener(privateKey);
  return opener.open(sealed);
}

function openTransport(privateKey: KeyObject, ciphertext: string): Uint8Array | undefined {
  try {
    const transport = takeSecret(
      privateDecrypt({ key: privateKey, ...oaep }, parseBase64(ciphertext) ?? new Uint8Array(0)),
    );
    return transport.length === transportOctets ? transport : undefined;
  } catch {
    return undefined; // not encrypted to this key
  }
}

function openKey(transport: Uint8Array, sealed: SealedKey, fingerprint: string): OpenedKey | undefined {
  const kt = deriveSealingKey(transport, sealingContext(sealed, fingerprint));
  const octets = unwrapKey(kt, parseBase64(sealed.wrapped) ?? new Uint8Array(0));
  kt.fill(0);
  if (octets === undefined || !isKeyRole(sealed.role)) return undefined;
  const key = new Key(sealed.role, octets);
  octets.fill(0);
  return { key, joinEui: sealed.joinEui, devEui: sealed.devEui };
}
