/** A second derivation for the tests, written from the specification with node:crypto alone: nothing of ours is used. */
import { createCipheriv, createDecipheriv, createHash } from "node:crypto";

export const un = (hex: string): Buffer => Buffer.from(hex, "hex");
const rev = (hex: string): Buffer => Buffer.from(un(hex).reverse());
const le = (value: number, octets: number): Buffer => {
  const buffer = Buffer.alloc(octets);
  buffer.writeUIntLE(value, 0, octets);
  return buffer;
};

export function ecb(key: Buffer, block: Buffer): Buffer {
  const cipher = createCipheriv("aes-128-ecb", key, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(block), cipher.final()]);
}

/** RFC 4493, the long way. */
export function cmac(key: Buffer, message: Buffer): Buffer {
  const shift = (block: Buffer): Buffer => {
    const doubled = (BigInt(`0x${block.toString("hex")}`) << 1n) ^ ((block[0] as number) & 0x80 ? 0x87n : 0n);
    return un((doubled & ((1n << 128n) - 1n)).toString(16).padStart(32, "0"));
  };
  const k1 = shift(ecb(key, Buffer.alloc(16)));
  const k2 = shift(k1);
  const blocks = Math.max(1, Math.ceil(message.length / 16));
  const whole = message.length > 0 && message.length % 16 === 0;
  const padded = Buffer.alloc(16 * blocks);
  message.copy(padded);
  if (!whole) padded[message.length] = 0x80;
  for (let i = 0; i < 16; i += 1) (padded[padded.length - 16 + i] as number) ^= (whole ? k1 : k2)[i] as number;
  const cipher = createCipheriv("aes-128-cbc", key, Buffer.alloc(16)).setAutoPadding(false);
  return cipher.update(padded).subarray(-16);
}

export const unwrap = (kek: Buffer, wrapped: string): string =>
  createDecipheriv(`id-aes${kek.length * 8}-wrap`, kek, Buffer.alloc(8, 0xa6))
    .update(un(wrapped))
    .toString("hex");

export function joinRequest(key: string, joinEui: string, devEui: string, devNonce: number): string {
  const message = Buffer.concat([Buffer.of(0), rev(joinEui), rev(devEui), le(devNonce, 2)]);
  return Buffer.concat([message, cmac(un(key), message).subarray(0, 4)]).toString("hex");
}

/** LoRaWAN 1.1 §6.2.4: types 0 and 2 name the NetID and have their MIC under SNwkSIntKey, type 1 names the JoinEUI and has it under JSIntKey. */
export function rejoinRequest(type: 0 | 1 | 2, key: string, at: string, devEui: string, rjCount: number): string {
  const message = Buffer.concat([Buffer.of(0xc0, type), rev(at), rev(devEui), le(rjCount, 2)]);
  return Buffer.concat([message, cmac(un(key), message).subarray(0, 4)]).toString("hex");
}

/** LORA-KDF-1: a root key from a maker's master key, with SHA-256 and AES-256-CBC of node:crypto. */
export function loraKdf1(
  master: string,
  purpose: string,
  epoch: number,
  extra: string,
  joinEui: string,
  devEui: string,
): string {
  const cbc = (key: Buffer, blocks: Buffer) =>
    createCipheriv("aes-256-cbc", key, Buffer.alloc(16)).setAutoPadding(false).update(blocks);
  const counter = Buffer.alloc(4);
  counter.writeUInt32BE(epoch);
  const label = createHash("sha256")
    .update(Buffer.concat([Buffer.from(`LORA-KDF-1\0${purpose}\0`), counter, un(extra)]))
    .digest()
    .subarray(0, 16);
  const kl = cbc(un(master), Buffer.concat([label, Buffer.alloc(15), Buffer.of(1)]));
  return cbc(kl, Buffer.concat([un(joinEui), un(devEui)])).toString("hex");
}

/** Session keys by prefix of the block. `middle` is the NetID (1.0.x) or the JoinEUI (1.1). */
export const sessionKey = (root: string, prefix: number, joinNonce: number, middle: string, nonce: number): string =>
  ecb(
    un(root),
    Buffer.concat([Buffer.of(prefix), le(joinNonce, 3), rev(middle), le(nonce, 2), Buffer.alloc(16)], 16),
  ).toString("hex");

export const jsKey = (nwkKey: string, prefix: number, devEui: string): string =>
  ecb(un(nwkKey), Buffer.concat([Buffer.of(prefix), rev(devEui), Buffer.alloc(16)], 16)).toString("hex");

/** What a device sees: the encrypted part decrypted by AES encryption, and the MIC that it expects. */
export function readJoinAccept(rootKey: string, phyPayload: string): { fields: Buffer; mic: string; mhdr: number } {
  const octets = un(phyPayload);
  const clear = ecb(un(rootKey), octets.subarray(1));
  return { mhdr: octets[0] as number, fields: clear.subarray(0, -4), mic: clear.subarray(-4).toString("hex") };
}
export const acceptMic10 = (key: string, fields: Buffer): string =>
  cmac(un(key), Buffer.concat([Buffer.of(0x20), fields]))
    .subarray(0, 4)
    .toString("hex");
export const acceptMic11 = (jsIntKey: string, joinEui: string, nonce: number, fields: Buffer, type = 0xff): string =>
  cmac(un(jsIntKey), Buffer.concat([Buffer.of(type), rev(joinEui), le(nonce, 2), Buffer.of(0x20), fields]))
    .subarray(0, 4)
    .toString("hex");

export const acceptFields = (
  joinNonce: number,
  netId: string,
  devAddr: string,
  dlSettings: number,
  rxDelay: number,
  cfList = "",
): string =>
  Buffer.concat([le(joinNonce, 3), rev(netId), rev(devAddr), Buffer.of(dlSettings, rxDelay), un(cfList)]).toString(
    "hex",
  );
