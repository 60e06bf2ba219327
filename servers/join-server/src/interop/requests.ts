/** What is asked besides joins: AppSKeyReq of application servers, HomeNSReq, notifications (TS002-1.0.0 §9 to §12, TS002-1.1.0). */
import { type AppSKeyReq, answerHeader, type HomeNSReq } from "@trefoil/backend-interfaces";
import { findDevice, type JoinPorts } from "../join/handle.ts";
import type { Peer } from "../standing.ts";
import type { Handled } from "./handled.ts";
import { identifier } from "./sender.ts";

/**
 * The AppSKey of a session, in the envelope that the vault made for the AS-ID of the device: no other AS-ID gets it, also where
 * the device was that one's once, or will be from its next join on.
 */
export function handleAppSKeyReq(message: AppSKeyReq, { asId }: Peer, ports: JoinPorts): Handled {
  const { DevEUI: devEui, SessionKeyID } = message;
  const joinEui = identifier(message.ReceiverID, 16);
  if (joinEui === undefined) return { outcome: "join/unknown-receiver", devEui };
  const assigned = ports.standing().assignedTo({ devEui, joinEui });
  if (assigned === undefined) return { outcome: "join/unknown-device", devEui };
  if (assigned.asId !== asId) return { outcome: "app-s-key/foreign", devEui };
  const device = findDevice({ devEui, joinEui }, ports);
  if (device === undefined) return { outcome: "join/unknown-device", devEui };
  const session = ports.registry.sessionOf(device, SessionKeyID);
  if (session === undefined) return { outcome: "app-s-key/unknown-session", devEui };
  if (session.asId !== asId) return { outcome: "app-s-key/foreign", devEui };
  return {
    outcome: "app-s-key/given",
    devEui,
    message: {
      ...answerHeader(message, "AppSKeyAns"),
      Result: { code: "Success" },
      DevEUI: devEui,
      AppSKey: session.appSKey,
      SessionKeyID,
    },
  };
}

/** Which network the device is assigned to: for any peer, as roaming needs it. */
export function handleHomeNSReq(message: HomeNSReq, ports: JoinPorts): Handled {
  const { DevEUI: devEui } = message;
  const joinEui = identifier(message.ReceiverID, 16);
  if (joinEui === undefined) return { outcome: "join/unknown-receiver", devEui };
  const assigned = ports.standing().assignedTo({ devEui, joinEui });
  if (assigned === undefined || findDevice({ devEui, joinEui }, ports) === undefined)
    return { outcome: "join/unknown-device", devEui };
  const { netId, nsId } = assigned.network;
  return {
    outcome: "home-ns/told",
    devEui,
    message: {
      ...answerHeader(message, "HomeNSAns"),
      Result: { code: "Success" },
      HNetID: netId,
      ...(nsId === undefined || message.ProtocolVersion === "1.0" ? {} : { HNSID: nsId }),
    },
  };
}
