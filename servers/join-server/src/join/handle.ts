/**
 * A JoinReq or RejoinReq of an authenticated peer (TS002-1.0.0 §8.1): who asks, for which device, with which nonces; one question to the
 * vault; the claim; the answer. What costs nothing comes first: a stranger uses up no nonce and asks the vault nothing. No key is ever here.
 */
import { hash, randomUUID } from "node:crypto";
import { answerHeader, encodeMessage, type JoinReq, type RejoinReq } from "@trefoil/backend-interfaces";
import { networkText, type SessionKeys, type Vault, type VaultJoined } from "@trefoil/custody";
import { Fault } from "@trefoil/service";
import type { DeviceId } from "@trefoil/wire";
import { type Device, noHistory } from "../devices/device.ts";
import type { Registry } from "../devices/registry.ts";
import { type Handled, unavailable } from "../interop/handled.ts";
import type { Limiter } from "../interop/limits.ts";
import { identifier } from "../interop/sender.ts";
import { outcomeOfVault } from "../outcomes.ts";
import type { Peer, Standing } from "../standing.ts";
import type { Turns } from "../turns.ts";
import { decideJoin } from "./decide.ts";
import { type Requested, readRequest } from "./request.ts";

export type JoinPorts = {
  readonly registry: Registry;
  readonly standing: () => Standing;
  readonly vault: Pick<Vault, "join" | "rejoin">;
  readonly limits: Limiter;
  /** One join at a time for each device. */
  readonly turns: Turns;
  /** Trouble of ours that the peer only learns the outcome of. */
  readonly onFault: (fault: Fault, devEui: string) => void;
};
type Asking = Requested & {
  readonly message: JoinReq | RejoinReq;
  readonly peer: Peer & Required<Pick<Peer, "network">>;
};

export async function handleActivation(message: JoinReq | RejoinReq, peer: Peer, ports: JoinPorts): Promise<Handled> {
  const { DevEUI: devEui } = message;
  const { network } = peer;
  const requested = readRequest(message);
  if (requested === undefined || network === undefined) return { outcome: "join/malformed", devEui };
  const { joinEui } = requested;
  if (identifier(message.ReceiverID, 16) !== joinEui) return { outcome: "join/unknown-receiver", devEui };
  if (requested.netId !== undefined && requested.netId !== network.netId)
    return { outcome: "rejoin/other-network", devEui };

  const assigned = ports.standing().assignedTo({ devEui, joinEui });
  if (assigned === undefined) return { outcome: "join/unknown-device", devEui };
  if (networkText(assigned.network) !== networkText(network)) return { outcome: "join/foreign-device", devEui };
  if (!ports.limits.joinEui.take(joinEui) || !ports.limits.device.take(devEui + joinEui))
    return { outcome: "join/limited", devEui };

  return ports.turns.take(devEui, async () => {
    const device = findDevice({ devEui, joinEui }, ports);
    if (device === undefined) return { outcome: "join/unknown-device", devEui };
    return { devEui, ...(await activate({ ...requested, message, peer: { ...peer, network } }, device, ports)) };
  });
}

/** A registered one, or one whose root keys are derived from the master key of its JoinEUI. */
export function findDevice(
  id: DeviceId,
  { registry, standing }: Pick<JoinPorts, "registry" | "standing">,
): Device | undefined {
  const device = registry.byDevEui(id.devEui);
  if (device !== undefined) return device.joinEui === id.joinEui ? device : undefined;
  const macVersion = standing().derivedVersion(id.joinEui);
  if (macVersion === undefined) return undefined;
  const history = registry.historyOf(id) ?? { ...noHistory, lastJoinNonce: registry.joinNonceFloor };
  return { ...id, macVersion, provenance: "derived", unregistered: true, ...history };
}

async function activate({ message, peer, nonce }: Asking, device: Device, ports: JoinPorts): Promise<Handled> {
  const { registry, onFault } = ports;
  const digest = digestOf(message);
  const kept = registry.answerOf(device);
  if (kept?.peer === peer.fingerprint && Buffer.compare(kept.request, digest) === 0)
    return { outcome: "join/repeated", json: kept.body };

  const dlSettings = Number.parseInt(message.DLSettings, 16);
  const isUsed =
    nonce.request === "join"
      ? registry.isDevNonceUsed(device, nonce.devNonce)
      : nonce.request !== 1 && registry.isFrameUsed(device, nonce.frame);
  const decision = decideJoin({ ...device, isUsed }, { macVersion: message.MACVersion, dlSettings, nonce });
  if (decision.is === "refused") return { outcome: decision.outcome };
  const { joinNonce } = decision;

  let answer: VaultJoined;
  try {
    answer = await askVault(message, peer, device, joinNonce, ports.vault);
  } catch (error) {
    return { outcome: unavailable(error, "join/vault-unavailable", device.devEui, onFault) };
  }
  if (answer.result === "refused") return { outcome: outcomeOfVault(answer.code) };

  const { keys, asId, provenance, use } = answer;
  // A name, no secret: 122 random bits, which Node makes many at a time.
  const sessionKeyId = randomUUID().replaceAll("-", "");
  const body = JSON.stringify(encodeMessage(accepted(message, peer, answer, sessionKeyId)));
  try {
    await registry.claim({
      device: { ...device, provenance },
      ...{ nonce, joinNonce, use, kept, peer: peer.fingerprint, request: digest, body },
      session: { sessionKeyId, asId, appSKey: keys.appSKey },
    });
  } catch (error) {
    if (error instanceof Fault && error.code === "store/constraint") return { outcome: "join/dev-nonce-reused" };
    return { outcome: unavailable(error, "join/store-unavailable", device.devEui, onFault) };
  }
  return { outcome: nonce.request === "join" ? "join/accepted" : "rejoin/accepted", json: body };
}

function askVault(
  message: JoinReq | RejoinReq,
  { network }: Asking["peer"],
  { devEui, joinEui, macVersion, blobs }: Device,
  joinNonce: number,
  vault: JoinPorts["vault"],
): Promise<VaultJoined> {
  const activation = {
    ...{ devEui, joinEui, macVersion, network, joinNonce },
    ...(blobs === undefined ? {} : { blobs }),
    ...{ devAddr: message.DevAddr, dlSettings: Number.parseInt(message.DLSettings, 16), rxDelay: message.RxDelay },
    ...(message.CFList === undefined ? {} : { cfList: message.CFList }),
  };
  return message.MessageType === "JoinReq"
    ? vault.join({ ...activation, joinRequest: message.PHYPayload })
    : vault.rejoin({ ...activation, rejoinRequest: message.PHYPayload });
}

type Joined = VaultJoined & { readonly result: "joined" };
const accepted = (request: JoinReq | RejoinReq, peer: Peer, { joinAccept, keys }: Joined, sessionKeyId: string) => ({
  ...answerHeader(request, request.MessageType === "JoinReq" ? "JoinAns" : "RejoinAns"),
  Result: { code: "Success" } as const,
  PHYPayload: joinAccept,
  Lifetime: 0,
  ...networkKeys(keys),
  // Otherwise the application server asks by AppSKeyReq: the network relays the SessionKeyID alone.
  ...(peer.asksForAppSKey ? {} : { AppSKey: keys.appSKey }),
  SessionKeyID: sessionKeyId,
});

const networkKeys = (keys: SessionKeys) =>
  "nwkSKey" in keys
    ? { NwkSKey: keys.nwkSKey }
    : { FNwkSIntKey: keys.fNwkSIntKey, SNwkSIntKey: keys.sNwkSIntKey, NwkSEncKey: keys.nwkSEncKey };

/** Of the whole request as it was understood: every field counts, its spelling does not. */
const digestOf = (request: JoinReq | RejoinReq): Uint8Array => hash("sha256", JSON.stringify(request), "buffer");
