/**
 * A vault in this process, for tests that need many joins and no second process: real MICs, real derivations, real envelopes, keys of
 * test devices. What the real vault checks of requests, statements and blobs is tested where it is.
 */
import { Key, type LabelledKek, type SessionKeys, type Vault, type VaultJoined, wrapEnvelope } from "@trefoil/custody";
import {
  type DevEui,
  decodePhyPayload,
  deriveJsEncKey,
  deriveJsIntKey,
  deriveSessionKeys10,
  deriveSessionKeys11,
  encryptJoinAccept,
  type JoinEui,
  joinAcceptMic10,
  joinAcceptMic11,
  type NetId,
  verifyTrailingMic,
} from "@trefoil/lorawan";
import { rootOf, type TestDevice } from "./frames.ts";

type Body = Parameters<Vault["join"]>[0] | Parameters<Vault["rejoin"]>[0];

export function fakeVault(
  devices: readonly TestDevice[],
  keks: { readonly network: LabelledKek; readonly application: LabelledKek },
) {
  const byDevEui = new Map(devices.map((device) => [device.devEui, device]));
  const derived: Uint8Array[] = [];
  let entry = 0;
  let asked = 0;

  function answer(body: Body): VaultJoined {
    asked += 1;
    const device = byDevEui.get(body.devEui);
    const phyPayload = Buffer.from("joinRequest" in body ? body.joinRequest : body.rejoinRequest, "hex");
    const frame = decodePhyPayload(phyPayload);
    if (!device || !("type" in frame) || !("devEui" in frame)) return { result: "refused", code: "join/blob-refused" };
    const root = rootOf(device);
    const isJoin = frame.type === "JoinRequest";
    const jsIntKey = deriveJsIntKey(root, body.devEui as DevEui);
    const micKey = isJoin ? root : frame.rejoinType === 1 ? jsIntKey : undefined;
    if (micKey && !verifyTrailingMic(micKey, phyPayload)) return { result: "refused", code: "join/mic-failed" };
    const nonce = isJoin ? frame.devNonce : frame.rjCount;
    const joinEui = body.joinEui as JoinEui;
    const fields = fieldsOf(body);
    const is11 = (body.dlSettings & 0x80) !== 0;
    const joinReqType = isJoin ? 0xff : frame.rejoinType;
    const mic = is11
      ? joinAcceptMic11(jsIntKey, { joinReqType, joinEui, devNonce: nonce }, fields)
      : joinAcceptMic10(root, fields);
    const encrypting = isJoin ? root : deriveJsEncKey(root, body.devEui as DevEui);
    const keys = is11
      ? deriveSessionKeys11(root, Buffer.from(device.keys.AppKey, "hex"), body.joinNonce, joinEui, nonce)
      : deriveSessionKeys10(root, body.joinNonce, body.network.netId as NetId, nonce);
    derived.push(...Object.values(keys));
    if (derived.length > 10_000) derived.splice(0, 5_000);
    entry += 1;
    return {
      result: "joined",
      joinAccept: Buffer.from(encryptJoinAccept(encrypting, fields, mic)).toString("hex"),
      keys: wrapped(keys),
      asId: "trefoil-as",
      provenance: "unknown",
      use: { instance: 0, entry, hash: "00".repeat(32) },
    };
  }

  const wrapped = (keys: object): SessionKeys =>
    Object.fromEntries(
      Object.entries(keys).map(([name, octets]) => [
        name,
        wrapEnvelope(name === "appSKey" ? keks.application : keks.network, new Key("AppSKey", octets)),
      ]),
    ) as unknown as SessionKeys;

  return {
    join: async (body: Parameters<Vault["join"]>[0]) => answer(body),
    rejoin: async (body: Parameters<Vault["rejoin"]>[0]) => answer(body),
    /** The session keys that it derived last. */
    derived,
    get asked() {
      return asked;
    },
  };
}

function fieldsOf({ joinNonce, network, devAddr, dlSettings, rxDelay, cfList }: Body): Uint8Array {
  const little = (hex: string) => Buffer.from(hex, "hex").reverse();
  return Buffer.concat([
    Buffer.of(joinNonce & 255, (joinNonce >> 8) & 255, joinNonce >> 16),
    little(network.netId),
    little(devAddr),
    Buffer.of(dlSettings, rxDelay),
    Buffer.from(cfList ?? "", "hex"),
  ]);
}
