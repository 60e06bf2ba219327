/** Devices as the tests know them, the frames that they send, and the messages that a network makes of these. */
import assert from "node:assert/strict";
import { createCipheriv, createHash } from "node:crypto";
import { cmac4, type DevEui, decodeJoinAcceptFields, decryptJoinAccept, deriveJsIntKey } from "@trefoil/lorawan";
import type { MacVersion } from "@trefoil/wire";

export const netIds = { ours: "000013", theirs: "600021" } as const;

export type TestDevice = {
  readonly devEui: string;
  readonly joinEui: string;
  readonly macVersion: MacVersion;
  /** Of the network that asks for it. */
  readonly netId: string;
  readonly keys: { readonly AppKey: string; readonly NwkKey?: string };
};
let lastDevice = 0;
export const joinEuis = { ours: "70b3d57ed0000001", theirs: "70b3d57ed0001001", derived: "70b3d57ed0002001" } as const;
export function newDevice(macVersion: MacVersion, netId: string = netIds.ours): TestDevice {
  lastDevice += 1;
  const key = (start: number) =>
    Buffer.from(Array.from({ length: 16 }, (_, i) => (start + 7 * lastDevice + 13 * i) & 255)).toString("hex");
  const keys = macVersion === "1.1" ? { AppKey: key(3), NwkKey: key(100) } : { AppKey: key(50) };
  const joinEui = netId === netIds.ours ? joinEuis.ours : joinEuis.theirs;
  return { devEui: `0011223344${lastDevice.toString(16).padStart(6, "0")}`, joinEui, macVersion, netId, keys };
}

export const rootOf = ({ keys }: TestDevice): Uint8Array => Buffer.from(keys.NwkKey ?? keys.AppKey, "hex");

/** LORA-KDF-1 (docs/sealed-key.md): the root keys of a device from a maker's master key. */
export function derivedKey(master: string, purpose: string, epoch: number, { joinEui, devEui }: TestDevice): string {
  const aes = (key: Uint8Array, blocks: Uint8Array) => {
    const cipher = createCipheriv("aes-256-cbc", key, Buffer.alloc(16)).setAutoPadding(false);
    return Buffer.concat([cipher.update(blocks), cipher.final()]);
  };
  const counter = Buffer.alloc(4);
  counter.writeUInt32BE(epoch);
  const label = createHash("sha256").update(`LORA-KDF-1\0${purpose}\0`).update(counter).digest().subarray(0, 16);
  const labelKey = aes(Buffer.from(master, "hex"), Buffer.concat([label, Buffer.alloc(15), Buffer.of(1)]));
  return aes(labelKey, Buffer.from(joinEui + devEui, "hex")).toString("hex");
}

const reversed = (hex: string) => Buffer.from(hex, "hex").reverse();
const u16 = (value: number) => Buffer.of(value & 255, value >> 8);
const withMic = (message: Buffer, key: Uint8Array) => Buffer.concat([message, cmac4(key, message)]).toString("hex");

/** The PHYPayload of a join-request as the device sends it. */
export function joinRequest(device: TestDevice, devNonce: number, key = rootOf(device)): string {
  const { joinEui, devEui } = device;
  return withMic(Buffer.concat([Buffer.of(0), reversed(joinEui), reversed(devEui), u16(devNonce)]), key);
}

/** Type 1 under JSIntKey; types 0 and 2 under a key that only device and network server know. */
export function rejoinRequest(device: TestDevice, type: 0 | 1 | 2, rjCount: number, key?: Uint8Array): string {
  const { joinEui, devEui, netId } = device;
  const id = type === 1 ? reversed(joinEui) : reversed(netId);
  const message = Buffer.concat([Buffer.of(0xc0, type), id, reversed(devEui), u16(rjCount)]);
  const ofType = type === 1 ? deriveJsIntKey(rootOf(device), devEui as DevEui) : Buffer.alloc(16, 7);
  return withMic(message, key ?? ofType);
}

let lastTransaction = 0;
function header({ netId, joinEui }: TestDevice, MessageType: string) {
  lastTransaction += 1;
  return { ProtocolVersion: "1.0", SenderID: netId, ReceiverID: joinEui, TransactionID: lastTransaction, MessageType };
}
const activation = ({ macVersion, devEui }: TestDevice, PHYPayload: string) => ({
  ...{ MACVersion: macVersion, PHYPayload, DevEUI: devEui, DevAddr: "26011bda", RxDelay: 1 },
  DLSettings: macVersion === "1.1" ? "80" : "00",
});

export const joinReq = (device: TestDevice, devNonce: number, change: object = {}) => ({
  ...header(device, "JoinReq"),
  ...activation(device, joinRequest(device, devNonce)),
  ...change,
});
export const rejoinReq = (device: TestDevice, type: 0 | 1 | 2, rjCount: number, change: object = {}) => ({
  ...header(device, "RejoinReq"),
  ProtocolVersion: "1.1",
  ...activation(device, rejoinRequest(device, type, rjCount)),
  ...change,
});
export const appSKeyReq = (device: TestDevice, SessionKeyID: string, change: object = {}) => ({
  ...header(device, "AppSKeyReq"),
  ...{ SenderID: "trefoil-as", DevEUI: device.devEui, SessionKeyID },
  ...change,
});
export const homeNsReq = (device: TestDevice, change: object = {}) => ({
  ...header(device, "HomeNSReq"),
  DevEUI: device.devEui,
  ...change,
});

/** What a join-accept of the device says. */
export const joinNonceOf = (device: TestDevice, phyPayload = "") => {
  const fields = decodeJoinAcceptFields(
    decryptJoinAccept(rootOf(device), Buffer.from(phyPayload, "hex"))?.fields ?? new Uint8Array(),
  );
  return "reason" in fields ? assert.fail(fields.reason) : fields.joinNonce;
};
