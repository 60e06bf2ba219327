/**
 * From a request that may be answered to a session and its join-accept: asks the join-server of the device's JoinEUI, stores what it
 * answers, sends the accept (TS002-1.0.0 §8, LoRaWAN 1.1 §6.2). The same for join-requests and rejoin-requests.
 */
import { randomBytes, randomInt } from "node:crypto";
import { encodeMessage, type JoinReq, type RejoinReq } from "@trefoil/backend-interfaces";
import type { KekRing } from "@trefoil/custody";
import type { JoinRequest, NetId, RejoinRequest } from "@trefoil/lorawan";
import type { JoinServer } from "@trefoil/service";
import type { Reception } from "@trefoil/wire";
import type { Device, Registry } from "../devices/registry.ts";
import { transmit } from "../downlink/transmit.ts";
import type { ClassAWindow } from "../downlink/windows.ts";
import { joinEvent } from "../events.ts";
import type { Outcome } from "../outcomes.ts";
import { noFCnt } from "../sessions/columns.ts";
import { addSession, type SessionToStore, storeSession } from "../sessions/rows.ts";
import { flag } from "../sessions/session-table.ts";
import { deleteSession } from "../sessions/spent.ts";
import type { State } from "../state.ts";
import { Batch } from "../uplink/batch.ts";
import type { RequestHeard } from "../uplink/process.ts";
import { answerOrder } from "../uplink/quality.ts";
import { type Joined, readJoinAnswer } from "./answer.ts";
import { chooseDevAddr, type Settings } from "./network.ts";

export type ActivationPorts = {
  readonly state: State;
  readonly registry: Registry;
  readonly netId: NetId;
  /** Of TS002 1.1, where several networks share the NetID. */
  readonly nsId: string | undefined;
  /** Own ones: no other can open the envelopes. */
  readonly keks: KekRing;
  /** The join-server of a JoinEUI: the own one, or a foreign one by configuration. */
  readonly joinServer: (joinEui: string) => JoinServer;
};

export type Activation = {
  /** The first part of the outcomes' slugs. */
  readonly kind: "join" | "rejoin";
  readonly request: RequestHeard<JoinRequest | RejoinRequest>;
  readonly device: Device;
  readonly joinEui: string;
  readonly settings: Settings;
  /** Where the device listens for the accept. */
  readonly windows: (reception: Reception) => readonly ClassAWindow[];
};

/** The join-accept must be at the gateway five seconds after the request, or in the second window after six. */
const answerWithinMs = 5_500;

export class Activations {
  readonly #ports: ActivationPorts;
  #transactionId = randomInt(2 ** 32);

  constructor(ports: ActivationPorts) {
    this.#ports = ports;
  }

  async answer(activation: Activation): Promise<Outcome> {
    const { kind, request, device, joinEui } = activation;
    const { state, keks, joinServer } = this.#ports;
    const devAddr = this.#freeDevAddr();
    const server = joinServer(joinEui);
    const asked = this.#question(activation, devAddr, server);
    const left = answerWithinMs - (performance.now() - request.firstAt);
    let body: unknown;
    try {
      body = await server.ask(encodeMessage(asked), Math.max(left, 1));
    } catch (error) {
      state.log.warn({ err: error, devEui: device.devEui }, "the join-server did not answer");
      return `${kind}/no-answer`;
    }
    const answer = readJoinAnswer(body, asked, device.macVersion, keks.all);
    if ("why" in answer) {
      const { why, detail } = answer;
      state.log.warn({ devEui: device.devEui, outcome: `${kind}/${why}`, detail }, "a join was not answered");
      return `${kind}/${why}`;
    }
    keks.used(answer.kekLabel);
    await this.#store(activation, devAddr, answer);
    return this.#accept(activation, answer);
  }

  #freeDevAddr(): number {
    const { state, netId } = this.#ports;
    const taken: number[] = [];
    return chooseDevAddr(netId, (candidate) => {
      taken.length = 0;
      state.sessions.table.withDevAddr(candidate, taken);
      return taken.length > 0;
    });
  }

  #question(
    { kind, request, device, joinEui, settings }: Activation,
    devAddr: number,
    server: JoinServer,
  ): JoinReq | RejoinReq {
    this.#transactionId = (this.#transactionId + 1) % 2 ** 32;
    const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
    const { netId, nsId } = this.#ports;
    return {
      ProtocolVersion: server.protocolVersion,
      SenderID: netId,
      ...(nsId === undefined || server.protocolVersion === "1.0" ? {} : { SenderNSID: nsId }),
      ReceiverID: joinEui,
      TransactionID: this.#transactionId,
      MessageType: kind === "join" ? "JoinReq" : "RejoinReq",
      MACVersion: device.macVersion,
      PHYPayload: hex(request.phyPayload),
      DevEUI: device.devEui,
      DevAddr: devAddr.toString(16).padStart(8, "0"),
      DLSettings: hex(Uint8Array.of(settings.dlSettings)),
      RxDelay: settings.rxDelay,
      ...(settings.cfList ? { CFList: hex(settings.cfList) } : {}),
    };
  }

  /** The session waits for its first uplink; one that waited before it is forgotten (LoRaWAN 1.1 §6.2.3). */
  async #store({ device, joinEui, settings }: Activation, devAddr: number, answer: Joined): Promise<void> {
    const { state, registry } = this.#ports;
    const { table } = state.sessions;
    const devEui = Uint8Array.from(Buffer.from(device.devEui, "hex"));
    // Where the join-server names no session the AppSKey's envelope is here, and any name will do.
    const sessionKeyId = answer.sessionKeyId ?? randomBytes(16).toString("hex");
    const session: SessionToStore = {
      sessionId: registry.newSessionId(),
      deviceId: device.deviceId,
      devAddr,
      devEui,
      keys: answer.keys,
      sessionKeyId,
      macVersion: device.macVersion,
      region: device.region,
      channels: settings.channels,
      isPending: true,
      isJoined: true,
      fCntUp: noFCnt,
      nFCntDown: 0,
      aFCntDown: 0,
      rxDelay: settings.rxDelay,
      rx1DrOffset: settings.rx1DrOffset,
      rx2DataRate: settings.rx2DataRate,
      rx2Hz: settings.rx2Hz,
    };
    const batch = new Batch();
    const former = table
      .ofDevice(devEui)
      .filter((slot) => table.is(slot, flag.pending))
      .map((slot) => ({ slot, sessionId: table.columns.sessionId[slot] as number }));
    for (const { slot } of former) deleteSession(slot, state.sessions, batch);
    storeSession(batch, session);
    const named = { devEui: device.devEui, devAddr: devAddr.toString(16).padStart(8, "0"), sessionKeyId };
    batch.events.push(joinEvent(named, joinEui, answer.appSKey, state.now()));
    batch.afterwards(() => {
      for (const { slot, sessionId } of former) if (table.isStill(slot, sessionId)) state.sessions.remove(slot);
      addSession(state.sessions, session);
    });
    try {
      await state.commit(batch);
    } finally {
      answer.keys.fill(0);
    }
  }

  async #accept({ kind, request, device, windows }: Activation, { phyPayload }: Joined): Promise<Outcome> {
    const { state } = this.#ports;
    const attempts = answerOrder(request.heard).map(({ reception }) => ({
      reception,
      windows: windows(reception).map(({ most: _, ...window }) => window),
    }));
    const fate = await transmit(phyPayload, "join-accept", attempts, {
      request: state.transmit,
      elapsedMs: () => performance.now() - request.firstAt,
    });
    state.metrics.downlinks.inc({ priority: "join-accept", result: fate.result === "sent" ? "sent" : fate.code });
    if (fate.result === "sent") return `${kind}/accepted`;
    state.log.warn({ devEui: device.devEui, code: fate.code }, "a join-accept was not sent");
    return `${kind}/not-sent`;
  }
}
