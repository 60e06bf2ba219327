/**
 * A join-request or rejoin-request becomes a join-accept and key envelopes, or is refused. Root keys and session keys exist between
 * unwrap and wrap alone.
 *
 * Spec: TS001-1.0.4 §6.2; LoRaWAN 1.1 §6.2
 */
import { timingSafeEqual } from "node:crypto";
import {
  type AuditEvent,
  networkText,
  parseHex,
  type SessionKeys,
  toHex,
  type VaultJoin,
  type VaultJoined,
  type VaultRejoin,
} from "@trefoil/custody";
import { Fault } from "@trefoil/service";
import type { KekStatement, KeyEnvelope } from "@trefoil/wire";
import {
  type Asked,
  block10,
  block11,
  blockOfDevice,
  concat,
  type JoinAcceptFields,
  joinAcceptClear,
  joinAcceptPrefix11,
  joinReqType,
  optNeg,
  readJoinRequest,
  readRejoinRequest,
  type SessionContext,
} from "./blocks.ts";
import { isRefusal } from "./held-keys.ts";
import { type Keys, openRoot, schemeOf } from "./root-keys.ts";
import { type Token, withHandles } from "./token.ts";

/** As VaultJoined, before the audit log has given it its entry. */
type Outcome = Omit<Extract<VaultJoined, { result: "joined" }>, "use"> | Extract<VaultJoined, { result: "refused" }>;
/**
 * `event`: what the audit log shall say: a root key was used, or tried. `fault`: what the engine threw meanwhile, to be thrown again once
 * that is said.
 */
export type Answered =
  | { readonly outcome: Outcome; readonly event?: AuditEvent }
  | { readonly fault: unknown; readonly event: AuditEvent };
type Activation = Omit<VaultJoin, "joinRequest">;
type Kek<H> = { readonly label: string; readonly key: H };

const refused = (code: string): Extract<Outcome, { result: "refused" }> => ({ result: "refused", code });

export function join<H>(keys: Keys<H>, request: VaultJoin, now: number): Answered {
  const phyPayload = parseHex(request.joinRequest) ?? new Uint8Array(0);
  return activate(keys, request, phyPayload, readJoinRequest(phyPayload), now);
}

export function rejoin<H>(keys: Keys<H>, request: VaultRejoin, now: number): Answered {
  const phyPayload = parseHex(request.rejoinRequest) ?? new Uint8Array(0);
  return activate(keys, request, phyPayload, readRejoinRequest(phyPayload), now);
}

/** The checks that need no root key come first, and leave no entry in the audit log: none was touched. */
function activate<H>(
  keys: Keys<H>,
  request: Activation,
  phyPayload: Uint8Array,
  asked: Asked | undefined,
  now: number,
): Answered {
  const { table } = keys;
  if (asked === undefined) return { outcome: refused("vault/malformed") };
  const isOfDevice = asked.devEui === request.devEui && (asked.joinEui ?? request.joinEui) === request.joinEui;
  if (!isOfDevice) return { outcome: refused("join/other-device") };
  if (!isVersionClear(keys, request, asked)) return { outcome: refused("join/version") };

  const assigned = table.assigned(request);
  if (assigned === undefined || networkText(assigned.network) !== networkText(request.network))
    return { outcome: refused("join/not-assigned") };
  // A rejoin-request of type 0 or 2 names the network that the device is at, and only that one could check its MIC.
  if (asked.netId !== undefined && asked.netId !== request.network.netId)
    return { outcome: refused("join/not-assigned") };
  const network = openKek(keys, table.kekOfNetwork(assigned.network, now));
  if (network === undefined) return { outcome: refused("join/no-network-kek") };
  const application = openKek(keys, table.kekOfApplication(assigned.asId, now));
  if (application === undefined) return { outcome: refused("join/no-application-kek") };
  if (request.blobs === undefined && table.masterKey(request.joinEui) === undefined)
    return { outcome: refused("join/no-root-key") };

  const about = {
    event: "join",
    devEui: request.devEui,
    joinEui: request.joinEui,
    request: asked.request,
    nonce: asked.nonce,
    joinNonce: request.joinNonce,
    network: networkText(assigned.network),
    asId: assigned.asId,
  } as const;
  try {
    const outcome = answer(keys, request, phyPayload, asked, assigned.asId, network, application);
    if (outcome.result === "refused") return { outcome, event: { ...about, result: outcome.code } };
    return { outcome, event: { ...about, result: outcome.result, provenance: outcome.provenance } };
  } catch (fault) {
    return { fault, event: { ...about, result: fault instanceof Fault ? fault.code : "vault/failed" } };
  }
}

/**
 * OptNeg, macVersion, and the keys that are there must all say the same: whoever could mix them would have keys of one scheme from roots of
 * the other. Rejoin-requests are of 1.1 alone.
 */
function isVersionClear<H>({ table }: Keys<H>, request: Activation, asked: Asked): boolean {
  const is11 = request.macVersion === "1.1";
  if (is11 !== ((request.dlSettings & optNeg) !== 0)) return false;
  if (asked.request !== "join" && !is11) return false;
  if (request.blobs !== undefined) return is11 === (request.blobs.NwkKey !== undefined);
  const master = table.masterKey(request.joinEui);
  return master === undefined || schemeOf(master.macVersion) === schemeOf(request.macVersion);
}

function openKek<H>({ held }: Keys<H>, statement: KekStatement | undefined): Kek<H> | undefined {
  const key = statement === undefined ? undefined : held.of(statement);
  return statement === undefined || key === undefined || isRefusal(key) ? undefined : { label: statement.label, key };
}

/** Everything that touches root keys. */
function answer<H>(
  keys: Keys<H>,
  request: Activation,
  phyPayload: Uint8Array,
  asked: Asked,
  asId: string,
  network: Kek<H>,
  application: Kek<H>,
): Outcome {
  const { token } = keys;
  const is11 = request.macVersion === "1.1";
  return withHandles(token, (own) => {
    const open = (role: "AppKey" | "NwkKey") => {
      const root = openRoot(keys, role, request, request.blobs, "root");
      own(root?.key);
      return root;
    };
    const app = open("AppKey");
    const nwk = is11 ? open("NwkKey") : app;
    if (app === undefined || nwk === undefined) return refused("join/blob-refused");
    const jsIntKey = is11
      ? own(token.derive128(nwk.key, blockOfDevice("JSIntKey", request.devEui), "js-int"))
      : undefined;

    // Types 0 and 2 bear a MIC under SNwkSIntKey, which the network server alone can check (docs/authority.md: its word).
    const micKey = asked.request === "join" ? nwk.key : asked.request === 1 ? jsIntKey : undefined;
    if (micKey !== undefined && !isMic(token, micKey, phyPayload)) return refused("join/mic-failed");

    const encKey =
      asked.request === "join"
        ? nwk.key
        : own(token.derive128(nwk.key, blockOfDevice("JSEncKey", request.devEui), "js-enc"));
    const fields = { ...request, netId: request.network.netId };
    const joinAccept = makeJoinAccept(token, fields, request.joinEui, asked, encKey, jsIntKey ?? nwk.key);
    const context: SessionContext = {
      joinNonce: request.joinNonce,
      netId: request.network.netId,
      joinEui: request.joinEui,
      nonce: asked.nonce,
    };
    const wrap = (kek: Kek<H>, root: H, block: Uint8Array): KeyEnvelope => ({
      kekLabel: kek.label,
      aesKey: toHex(token.wrap(kek.key, own(token.derive128(root, block, "transit")))),
    });
    const sessionKeys: SessionKeys = is11
      ? {
          fNwkSIntKey: wrap(network, nwk.key, block11("FNwkSIntKey", context)),
          sNwkSIntKey: wrap(network, nwk.key, block11("SNwkSIntKey", context)),
          nwkSEncKey: wrap(network, nwk.key, block11("NwkSEncKey", context)),
          appSKey: wrap(application, app.key, block11("AppSKey", context)),
        }
      : {
          nwkSKey: wrap(network, app.key, block10("NwkSKey", context)),
          appSKey: wrap(application, app.key, block10("AppSKey", context)),
        };
    const { provenance } = app; // of both roots: they came together (blob.ts), or are both derived
    return { result: "joined", joinAccept: toHex(joinAccept), keys: sessionKeys, asId, provenance };
  });
}

function isMic<H>(token: Token<H>, key: H, phyPayload: Uint8Array): boolean {
  const end = phyPayload.length - 4;
  return timingSafeEqual(token.cmac(key, phyPayload.subarray(0, end)).subarray(0, 4), phyPayload.subarray(end));
}

/**
 * OptNeg 0: MIC under AppKey. OptNeg 1: MIC under JSIntKey, over JoinReqType, JoinEUI and the request's nonce too. Encrypted with AES
 * decryption, under the root key, or under JSEncKey where a rejoin-request is answered (LoRaWAN 1.1 §6.2.5).
 */
export function makeJoinAccept<H>(
  token: Token<H>,
  fields: JoinAcceptFields,
  joinEui: string,
  { request, nonce }: Pick<Asked, "request" | "nonce">,
  encKey: H,
  micKey: H,
): Uint8Array {
  const clear = joinAcceptClear(fields);
  const is11 = (fields.dlSettings & optNeg) !== 0;
  const covered = is11 ? concat(joinAcceptPrefix11(joinReqType(request), joinEui, nonce), clear) : clear;
  const mic = token.cmac(micKey, covered).subarray(0, 4);
  return concat(clear.subarray(0, 1), token.decryptBlocks(encKey, concat(clear.subarray(1), mic)));
}
