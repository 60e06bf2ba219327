/**
 * A JoinReq of an authenticated peer (TS002-1.0.0 §8.1): who asks, for which device, with which nonces; one question to the vault; the
 * claim; the answer. No key is ever here.
 */
import { createHash, randomBytes } from "node:crypto";
import { answerHeader, encodeMessage, type JoinAns, type JoinReq } from "@trefoil/backend-interfaces";
import { parseHex, type SessionKeys, type Vault, type VaultJoined } from "@trefoil/custody";
import { decodePhyPayload, type JoinRequest } from "@trefoil/lorawan";
import { Fault, type Peer } from "@trefoil/service";
import type { Audit } from "../audit.ts";
import type { Device, Registry } from "../devices/registry.ts";
import type { Turns } from "../turns.ts";
import { decideJoin } from "./decide.ts";
import { type Outcome, outcomeOfVault } from "./outcomes.ts";

export type JoinPorts = {
  readonly registry: Registry;
  readonly audit: Audit;
  readonly vault: Pick<Vault, "join">;
  /** One join at a time for each device. */
  readonly turns: Turns;
  /** Trouble of ours that the peer only learns the outcome of. */
  readonly onFault: (fault: Fault, devEui: string) => void;
};
/** `body` is a JoinAns ready to send: only where the outcome is a success. */
export type Handled = { readonly outcome: Outcome; readonly devEui?: string; readonly body?: unknown };

export async function handleJoinReq(request: JoinReq, peer: Peer, ports: JoinPorts): Promise<Handled> {
  const { DevEUI: devEui } = request;
  const netId = identifier(request.SenderID, 6);
  if (netId === undefined || peer.netId === undefined || netId !== peer.netId.toLowerCase()) {
    await ports.audit.writeOnce("join/unknown-sender", null, { peer: peer.fingerprint, senderId: request.SenderID });
    return { outcome: "join/unknown-sender" };
  }
  const frame = decodePhyPayload(parseHex(request.PHYPayload) ?? new Uint8Array(0));
  if (!("type" in frame) || frame.type !== "JoinRequest" || frame.devEui !== devEui)
    return { outcome: "join/malformed", devEui };
  if (identifier(request.ReceiverID, 16) !== frame.joinEui) return { outcome: "join/unknown-receiver", devEui };

  return ports.turns.take(devEui, async () => {
    const device = ports.registry.byDevEui(devEui);
    if (device === undefined || device.joinEui !== frame.joinEui) return { outcome: "join/unknown-device", devEui };
    if (device.netId !== netId) {
      await ports.audit.writeOnce("join/foreign-device", devEui, { peer: peer.fingerprint, netId });
      return { outcome: "join/foreign-device", devEui };
    }
    return { devEui, ...(await joinDevice(request, frame, device, peer, ports)) };
  });
}

async function joinDevice(
  request: JoinReq,
  { devNonce }: JoinRequest,
  device: Device,
  peer: Peer,
  ports: JoinPorts,
): Promise<Handled> {
  const { registry, vault, onFault } = ports;
  const digest = digestOf(request);
  const kept = registry.answerOf(device);
  if (kept?.peer === peer.fingerprint && Buffer.compare(kept.request, digest) === 0)
    return { outcome: "join/repeated", body: JSON.parse(kept.body) };

  const dlSettings = Number.parseInt(request.DLSettings, 16);
  const known = { ...device, isDevNonceUsed: registry.isDevNonceUsed(device, devNonce) };
  const decision = decideJoin(known, { macVersion: request.MACVersion, dlSettings, devNonce });
  if (decision.is === "refused") return { outcome: decision.outcome };
  const { joinNonce } = decision;

  const { devEui, joinEui, netId, asId, blobs } = device;
  const question = {
    ...{ devEui, joinEui, netId, asId, blobs, joinNonce, dlSettings },
    ...{ joinRequest: request.PHYPayload, devAddr: request.DevAddr, rxDelay: request.RxDelay },
    ...(request.CFList === undefined ? {} : { cfList: request.CFList }),
  };
  let answer: VaultJoined;
  try {
    answer = await vault.join(question);
  } catch (error) {
    return { outcome: unavailable(error, "join/vault-unavailable", devEui, onFault) };
  }
  if (answer.result === "refused") return { outcome: outcomeOfVault(answer.code) };

  const body = encodeMessage(joinAns(request, answer.joinAccept, answer.keys));
  try {
    await registry.claim({
      device,
      devNonce,
      joinNonce,
      peer: peer.fingerprint,
      request: digest,
      body: JSON.stringify(body),
    });
  } catch (error) {
    if (error instanceof Fault && error.code === "store/constraint") return { outcome: "join/dev-nonce-reused" };
    return { outcome: unavailable(error, "join/store-unavailable", devEui, onFault) };
  }
  return { outcome: "join/accepted", body };
}

/** Only what the environment did ends as an outcome; a bug goes on upwards. */
function unavailable(error: unknown, outcome: Outcome, devEui: string, onFault: JoinPorts["onFault"]): Outcome {
  if (!(error instanceof Fault)) throw error;
  onFault(error, devEui);
  return outcome;
}

const joinAns = (request: JoinReq, joinAccept: string, keys: SessionKeys): JoinAns => ({
  ...answerHeader(request, "JoinAns"),
  Result: { code: "Success" },
  PHYPayload: joinAccept,
  Lifetime: 0,
  ...("nwkSKey" in keys
    ? { NwkSKey: keys.nwkSKey }
    : { FNwkSIntKey: keys.fNwkSIntKey, SNwkSIntKey: keys.sNwkSIntKey, NwkSEncKey: keys.nwkSEncKey }),
  AppSKey: keys.appSKey,
  SessionKeyID: randomBytes(16).toString("hex"),
});

/** Of the whole request as it was understood: every field counts, its spelling does not. */
const digestOf = (request: JoinReq): Uint8Array => createHash("sha256").update(JSON.stringify(request)).digest();

/** A NetID or JoinEUI: hexadecimal, 0x and either case allowed (TS002-1.0.0 §8.2). */
function identifier(text: string, digits: number): string | undefined {
  const hex = text.toLowerCase().replace(/^0x/, "");
  return hex.length === digits && /^[0-9a-f]+$/.test(hex) ? hex : undefined;
}
