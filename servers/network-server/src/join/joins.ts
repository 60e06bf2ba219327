/** Join-requests: one at a time for each device, answered by the join-server (TS002 §8, LoRaWAN 1.1 §6.2). docs/lifecycles/join.md draws it. */
import { randomInt } from "node:crypto";
import type { JoinReq } from "@trefoil/backend-interfaces";
import { encodeMessage } from "@trefoil/backend-interfaces";
import type { LabelledKek } from "@trefoil/custody";
import { dataRateIndex, joinWindows, type NetId } from "@trefoil/lorawan";
import type { Device, Registry } from "../devices/registry.ts";
import { transmit } from "../downlink/transmit.ts";
import { type ClassAWindow, joinAcceptWindows } from "../downlink/windows.ts";
import { joinEvent } from "../events.ts";
import type { Outcome } from "../outcomes.ts";
import { noFCnt } from "../sessions/columns.ts";
import { regionAt, regionIndex } from "../sessions/regions.ts";
import { addSession, type SessionToStore, storeSession } from "../sessions/rows.ts";
import { flag } from "../sessions/session-table.ts";
import type { State } from "../state.ts";
import { Batch } from "../uplink/batch.ts";
import type { Heard } from "../uplink/merge.ts";
import type { JoinHeard } from "../uplink/process.ts";
import { answerOrder } from "../uplink/quality.ts";
import { type Joined, readJoinAnswer } from "./answer.ts";
import { chooseDevAddr, type Settings, settingsFor } from "./network.ts";

export type JoinPorts = {
  readonly state: State;
  readonly registry: Registry;
  readonly netId: NetId;
  readonly rxDelay: number;
  readonly keks: readonly LabelledKek[];
  /** Posts to the join-server; rejects with a Fault. */
  readonly ask: (body: unknown, timeoutMs: number) => Promise<unknown>;
};

/** The join-accept must be at the gateway five seconds after the request, or in the second window after six. */
const answerWithinMs = 5_500;

export class Joins {
  readonly #ports: JoinPorts;
  readonly #inFlight = new Set<string>();
  #transactionId = randomInt(2 ** 32);

  constructor(ports: JoinPorts) {
    this.#ports = ports;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Never rejects: every request has an outcome. */
  take(request: JoinHeard): void {
    const { state } = this.#ports;
    const { devEui } = request.frame;
    this.#join(request).then(
      (outcome) => state.metrics.outcome(outcome),
      (error) => {
        state.metrics.outcome("join/not-stored");
        state.log.warn({ err: error, devEui }, "a join failed");
      },
    );
  }

  async #join(request: JoinHeard): Promise<Outcome> {
    const { registry } = this.#ports;
    const { devEui, joinEui } = request.frame;
    const device = registry.byDevEui(devEui);
    if (!device || device.joinEui !== joinEui) return "join/unknown-device";
    if (this.#inFlight.has(devEui)) return "join/busy";
    this.#inFlight.add(devEui);
    try {
      return await this.#answer(request, device, joinEui);
    } finally {
      this.#inFlight.delete(devEui);
    }
  }

  async #answer(request: JoinHeard, device: Device, joinEui: string): Promise<Outcome> {
    const { state, netId, rxDelay, keks, ask } = this.#ports;
    const region = regionAt(regionIndex(device.region));
    const { reception } = request.heard[0] as Heard<unknown>;
    const dr = dataRateIndex(region, "up", reception.dataRate, reception.codingRate);
    const { rx2 } = joinWindows(region, reception.hz, dr ?? -1);
    const settings = settingsFor(region, device.macVersion, rxDelay, rx2);
    const { table } = state.sessions;
    const taken: number[] = [];
    const devAddr = chooseDevAddr(netId, (candidate) => {
      taken.length = 0;
      table.withDevAddr(candidate, taken);
      return taken.length > 0;
    });

    const asked = this.#question(request, device, joinEui, devAddr, settings);
    const left = answerWithinMs - (performance.now() - request.firstAt);
    let body: unknown;
    try {
      body = await ask(encodeMessage(asked), Math.max(left, 1));
    } catch (error) {
      state.log.warn({ err: error, devEui: device.devEui }, "the join-server did not answer");
      return "join/no-answer";
    }
    const answer = readJoinAnswer(body, asked, device.macVersion, keks);
    if ("outcome" in answer) {
      const { outcome, detail } = answer;
      state.log.warn({ devEui: device.devEui, outcome, detail }, "a join was not answered");
      return outcome;
    }
    await this.#store(device, joinEui, devAddr, settings, answer);
    return this.#accept(request, device, answer);
  }

  #question({ phyPayload }: JoinHeard, device: Device, joinEui: string, devAddr: number, settings: Settings): JoinReq {
    this.#transactionId = (this.#transactionId + 1) % 2 ** 32;
    const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
    return {
      ProtocolVersion: "1.0",
      SenderID: this.#ports.netId,
      ReceiverID: joinEui,
      TransactionID: this.#transactionId,
      MessageType: "JoinReq",
      MACVersion: device.macVersion,
      PHYPayload: hex(phyPayload),
      DevEUI: device.devEui,
      DevAddr: devAddr.toString(16).padStart(8, "0"),
      DLSettings: hex(Uint8Array.of(settings.dlSettings)),
      RxDelay: settings.rxDelay,
      ...(settings.cfList ? { CFList: hex(settings.cfList) } : {}),
    };
  }

  /** The session waits for its first uplink; one that waited before it is forgotten (LoRaWAN 1.1 §6.2.3). */
  async #store(device: Device, joinEui: string, devAddr: number, settings: Settings, answer: Joined): Promise<void> {
    const { state, registry } = this.#ports;
    const { table } = state.sessions;
    const devEui = Uint8Array.from(Buffer.from(device.devEui, "hex"));
    const session: SessionToStore = {
      sessionId: registry.newSessionId(),
      deviceId: device.deviceId,
      devAddr,
      devEui,
      keys: answer.keys,
      sessionKeyId: answer.sessionKeyId,
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
    for (const { sessionId } of former) {
      batch.add("deleteSession", sessionId);
      batch.add("deleteCounter", sessionId);
    }
    storeSession(batch, session);
    const named = {
      devEui: device.devEui,
      devAddr: devAddr.toString(16).padStart(8, "0"),
      sessionKeyId: answer.sessionKeyId,
    };
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

  async #accept({ heard, firstAt }: JoinHeard, device: Device, { phyPayload }: Joined): Promise<Outcome> {
    const { state } = this.#ports;
    const region = regionAt(regionIndex(device.region));
    const attempts = answerOrder(heard).map(({ reception }) => ({
      reception,
      windows: joinAcceptWindows(region, reception).map(({ most: _, ...window }: ClassAWindow) => window),
    }));
    const fate = await transmit(phyPayload, "join-accept", attempts, {
      request: state.transmit,
      elapsedMs: () => performance.now() - firstAt,
    });
    state.metrics.downlinks.inc({ priority: "join-accept", result: fate.result === "sent" ? "sent" : fate.code });
    if (fate.result === "sent") return "join/accepted";
    state.log.warn({ devEui: device.devEui, code: fate.code }, "a join-accept was not sent");
    return "join/not-sent";
  }
}
