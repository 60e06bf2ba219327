/** A join server for tests, TS002 as far as JoinReq, RejoinReq and AppSKeyReq: one pair of root keys for all devices, no memory of nonces. */
import {
  type AppSKeyReq,
  answerHeader,
  answerTypeOf,
  encodeMessage,
  type JoinAns,
  type JoinReq,
  parseMessage,
  type RejoinAns,
  type RejoinReq,
} from "@trefoil/backend-interfaces";
import { Key, type KeyRole, type LabelledKek, makeKey, wrapEnvelope } from "@trefoil/custody";
import {
  concat,
  type DevAddr,
  type DevEui,
  decodeDlSettings,
  decodePhyPayload,
  deriveJsEncKey,
  deriveJsIntKey,
  deriveSessionKeys10,
  deriveSessionKeys11,
  encodeJoinAcceptFields,
  encryptJoinAccept,
  type JoinEui,
  type JoinRequest,
  joinAcceptMic10,
  joinAcceptMic11,
  type NetId,
  type RejoinRequest,
  verifyTrailingMic,
} from "@trefoil/lorawan";
import { listenHttps } from "@trefoil/service";
import type { TestNetwork } from "@trefoil/service/testing";

const hex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));
export const kek = { label: "ns/000000", key: makeKey("KEK", 32) };
export const asKek = { label: "as/trefoil-as", key: makeKey("KEK", 32) };
export const rootKey = hex("0102030405060708090a0b0c0d0e0f10");
export const appKey = hex("f102030405060708090a0b0c0d0e0f10");

type Asked = JoinReq | RejoinReq;
export type Answer = JoinAns | RejoinAns;

/** `relaysSessionKeyId`: answers have no AppSKey, the application-server asks for it. */
export async function makeJoinServer(network: TestNetwork, { relaysSessionKeyId = false } = {}) {
  const asked: Asked[] = [];
  const appSKeys = new Map<string, Answer["AppSKey"]>();
  const appSKeyAns = (message: AppSKeyReq) => ({
    ...answerHeader(message, "AppSKeyAns"),
    Result: { code: "Success" } as const,
    SessionKeyID: message.SessionKeyID,
    AppSKey: appSKeys.get(message.SessionKeyID),
  });
  let change: (answer: Answer) => object = (answer) => answer;
  let tamper: (body: object) => object = (body) => body;
  let gate: Promise<unknown> = Promise.resolve();
  let networkKek: LabelledKek = kek;
  const listener = await listenHttps(network.station("join-server"), {
    address: { host: "127.0.0.1", port: 0 },
    from: ["network-server", "application-server"],
    handler: async ({ body }) => {
      const parsed = parseMessage(JSON.parse(body));
      if (parsed.result === "refused") return { status: 400, body: {} };
      const { message } = parsed;
      if (message.MessageType === "AppSKeyReq")
        return { status: 200, body: encodeMessage(appSKeyAns(message) as Parameters<typeof encodeMessage>[0]) };
      if (message.MessageType !== "JoinReq" && message.MessageType !== "RejoinReq") return { status: 400, body: {} };
      asked.push(message);
      await gate;
      const { AppSKey, ...rest } = answerTo(message, asked.length, networkKek);
      if (rest.SessionKeyID !== undefined) appSKeys.set(rest.SessionKeyID, AppSKey);
      const answer = (relaysSessionKeyId ? rest : { ...rest, AppSKey }) as Answer;
      return { status: 200, body: tamper(encodeMessage(change(answer) as Answer)) };
    },
  });
  return {
    address: listener.address,
    asked,
    change: (to: (answer: Answer) => object) => {
      change = to;
    },
    /** What no encoder of ours would send. */
    tamper: (to: (body: object) => object) => {
      tamper = to;
    },
    wrapUnder: (to: LabelledKek) => {
      networkKek = to;
    },
    hold: () => {
      let open: (value?: unknown) => void = () => {};
      gate = new Promise((resolve) => {
        open = resolve;
      });
      return open;
    },
    close: () => listener.close(),
  };
}

/** What is answered, as LoRaWAN 1.1 §6.2.3 has it enter MIC and keys. */
function requestOf(asked: Asked) {
  const phyPayload = hex(asked.PHYPayload);
  const frame = decodePhyPayload(phyPayload) as JoinRequest | RejoinRequest;
  const jsIntKey = deriveJsIntKey(rootKey, asked.DevEUI as DevEui);
  if (frame.type === "JoinRequest") {
    const isAuthentic = verifyTrailingMic(rootKey, phyPayload);
    return { joinReqType: 0xff, nonce: frame.devNonce, isAuthentic, encryption: rootKey } as const;
  }
  // Types 0 and 2 are the network's word.
  const isAuthentic = frame.rejoinType !== 1 || verifyTrailingMic(jsIntKey, phyPayload);
  const encryption = deriveJsEncKey(rootKey, asked.DevEUI as DevEui);
  return { joinReqType: frame.rejoinType, nonce: frame.rjCount, isAuthentic, encryption };
}

function answerTo(asked: Asked, joinNonce: number, networkKek: LabelledKek): Answer {
  const { joinReqType, nonce, isAuthentic, encryption } = requestOf(asked);
  const header = answerHeader(asked, answerTypeOf(asked.MessageType)) as ReturnType<typeof answerHeader> & {
    MessageType: "JoinAns";
  };
  if (!isAuthentic) return { ...header, Result: { code: "MICFailed" } };
  const joinEui = asked.ReceiverID as JoinEui;
  const netId = asked.SenderID as NetId;
  const devAddr = asked.DevAddr as DevAddr;
  const dlSettings = decodeDlSettings(Number.parseInt(asked.DLSettings, 16));
  const short = encodeJoinAcceptFields({ joinNonce, netId, devAddr, dlSettings, rxDelay: asked.RxDelay });
  const fields = concat([short, hex(asked.CFList ?? "")]);
  const envelope = (role: KeyRole, octets: Uint8Array) =>
    wrapEnvelope(role === "AppSKey" ? asKek : networkKek, new Key(role, octets));
  const accept = (mic: Uint8Array) => Buffer.from(encryptJoinAccept(encryption, fields, mic)).toString("hex");
  const answer = {
    ...header,
    Result: { code: "Success" },
    Lifetime: 0,
    SessionKeyID: `${asked.DevEUI}${joinNonce.toString(16).padStart(16, "0")}`,
  } as const;
  if (asked.MACVersion !== "1.1") {
    const { nwkSKey, appSKey } = deriveSessionKeys10(rootKey, joinNonce, netId, nonce);
    return {
      ...answer,
      PHYPayload: accept(joinAcceptMic10(rootKey, fields)),
      NwkSKey: envelope("NwkSKey", nwkSKey),
      AppSKey: envelope("AppSKey", appSKey),
    };
  }
  const keys = deriveSessionKeys11(rootKey, appKey, joinNonce, joinEui, nonce);
  const jsIntKey = deriveJsIntKey(rootKey, asked.DevEUI as DevEui);
  return {
    ...answer,
    PHYPayload: accept(joinAcceptMic11(jsIntKey, { joinReqType, joinEui, devNonce: nonce }, fields)),
    FNwkSIntKey: envelope("FNwkSIntKey", keys.fNwkSIntKey),
    SNwkSIntKey: envelope("SNwkSIntKey", keys.sNwkSIntKey),
    NwkSEncKey: envelope("NwkSEncKey", keys.nwkSEncKey),
    AppSKey: envelope("AppSKey", keys.appSKey),
  };
}
