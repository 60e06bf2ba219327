/**
 * A join-request becomes a join-accept and key envelopes, or is refused. Root keys and session keys exist between unwrap and
 * wrap alone.
 *
 * Spec: TS001-1.0.4 §6.2; LoRaWAN 1.1 §6.2
 */
import { timingSafeEqual } from "node:crypto";
import { parseHex, type SessionKeys, toHex, type VaultJoin, type VaultJoined } from "@trefoil/custody";
import type { KeyEnvelope } from "@trefoil/wire";
import {
  block10,
  block11,
  blockOfDevice,
  concat,
  joinAcceptClear,
  joinAcceptPrefix11,
  joinReqTypeJoin,
  optNeg,
  readJoinRequest,
  type SessionContext,
} from "./blocks.ts";
import type { Kek, Keks } from "./keks.ts";
import { openBlob } from "./root-keys.ts";
import { type Token, withHandles } from "./token.ts";

const refused = (code: string): VaultJoined => ({ result: "refused", code });

/** The vault's answer to one join-request. The checks that need no key come first. */
export function join<H>(token: Token<H>, keks: Keks<H>, request: VaultJoin): VaultJoined {
  const phyPayload = parseHex(request.joinRequest) ?? new Uint8Array(0);
  const joinRequest = readJoinRequest(phyPayload);
  if (joinRequest === undefined) return refused("join/malformed");
  if (joinRequest.devEui !== request.devEui || joinRequest.joinEui !== request.joinEui)
    return refused("join/other-device");
  const is11 = (request.dlSettings & optNeg) !== 0;
  if (is11 !== (request.blobs.NwkKey !== undefined)) return refused("join/version");
  const network = keks.forNetwork(request.netId);
  if (network === undefined) return refused("join/no-network-kek");
  const application = keks.forApplication(request.asId);
  if (application === undefined) return refused("join/no-application-kek");

  return withHandles(token, (own) => {
    const appKey = own(openBlob(token, "AppKey", request, request.blobs.AppKey));
    const nwkKey = is11 ? own(openBlob(token, "NwkKey", request, request.blobs.NwkKey)) : appKey;
    if (appKey === undefined || nwkKey === undefined) return refused("join/blob-refused");

    const end = phyPayload.length - 4;
    const mic = token.cmac(nwkKey, phyPayload.subarray(0, end)).subarray(0, 4);
    if (!timingSafeEqual(mic, phyPayload.subarray(end))) return refused("join/mic-failed");

    const context: SessionContext = {
      joinNonce: request.joinNonce,
      netId: request.netId,
      joinEui: request.joinEui,
      nonce: joinRequest.devNonce,
    };
    const jsIntKey = is11 ? own(token.deriveKey(nwkKey, blockOfDevice("JSIntKey", request.devEui))) : undefined;
    const joinAccept = makeJoinAccept(token, request, joinRequest.devNonce, nwkKey, jsIntKey);
    const wrap = (kek: Kek<H>, root: H, block: Uint8Array): KeyEnvelope => ({
      kekLabel: kek.label,
      aesKey: toHex(token.wrap(kek.key, own(token.deriveKey(root, block)))),
    });
    const keys: SessionKeys = is11
      ? {
          fNwkSIntKey: wrap(network, nwkKey, block11("FNwkSIntKey", context)),
          sNwkSIntKey: wrap(network, nwkKey, block11("SNwkSIntKey", context)),
          nwkSEncKey: wrap(network, nwkKey, block11("NwkSEncKey", context)),
          appSKey: wrap(application, appKey, block11("AppSKey", context)),
        }
      : {
          nwkSKey: wrap(network, appKey, block10("NwkSKey", context)),
          appSKey: wrap(application, appKey, block10("AppSKey", context)),
        };
    return { result: "joined", joinAccept: toHex(joinAccept), keys };
  });
}

/** OptNeg 0: MIC under AppKey. OptNeg 1: MIC under JSIntKey, over the join-request's nonce too. Either is encrypted with AES decryption. */
export function makeJoinAccept<H>(
  token: Token<H>,
  request: VaultJoin,
  devNonce: number,
  rootKey: H,
  jsIntKey: H | undefined,
): Uint8Array {
  const clear = joinAcceptClear(request);
  const mac =
    jsIntKey === undefined
      ? token.cmac(rootKey, clear)
      : token.cmac(jsIntKey, concat(joinAcceptPrefix11(joinReqTypeJoin, request.joinEui, devNonce), clear));
  return concat(clear.subarray(0, 1), token.decryptBlocks(rootKey, concat(clear.subarray(1), mac.subarray(0, 4))));
}
