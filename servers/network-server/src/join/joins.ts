/** Join-requests and rejoin-requests: one at a time for each device. docs/lifecycles/join.md and rejoin.md draw them. */
import { dataRateIndex, joinAcceptDelayS, joinWindows, type RegionParameters, rules } from "@trefoil/lorawan";
import type { Reception } from "@trefoil/wire";
import type { Device } from "../devices/registry.ts";
import { classAWindows, joinAcceptWindows, type RxParameters } from "../downlink/windows.ts";
import type { Outcome } from "../outcomes.ts";
import { regionAt, regionIndex } from "../sessions/regions.ts";
import { flag } from "../sessions/session-table.ts";
import type { Heard } from "../uplink/merge.ts";
import type { JoinHeard, RejoinHeard } from "../uplink/process.ts";
import { type ActivationPorts, Activations } from "./activation.ts";
import { type Settings, settingsFor, settingsOf } from "./network.ts";
import { authenticateRejoin, claimRejoin, slotsOf } from "./rejoin.ts";

export type JoinPorts = ActivationPorts & { readonly rxDelay: number };

/** How a request of a device is answered: what the new session shall be, and where the device listens. */
type Plan = {
  readonly settings: Settings;
  readonly windows: (reception: Reception) => ReturnType<typeof classAWindows>;
};

export class Joins {
  readonly #ports: JoinPorts;
  readonly #activations: Activations;
  readonly #inFlight = new Set<string>();

  constructor(ports: JoinPorts) {
    this.#ports = ports;
    this.#activations = new Activations(ports);
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Never rejects: every request has an outcome. */
  take(request: JoinHeard | RejoinHeard): void {
    const { state } = this.#ports;
    const { devEui } = request.frame;
    const kind = isJoin(request) ? "join" : "rejoin";
    const done = this.#inFlight.has(devEui)
      ? Promise.resolve<Outcome>(`${kind}/busy`)
      : this.#alone(devEui, () => (isJoin(request) ? this.#join(request) : this.#rejoin(request)));
    done.then(
      (outcome) => state.metrics.outcome(outcome),
      (error) => {
        state.metrics.outcome(`${kind}/not-stored`);
        state.log.warn({ err: error, devEui }, "a join failed");
      },
    );
  }

  async #alone(devEui: string, work: () => Promise<Outcome>): Promise<Outcome> {
    this.#inFlight.add(devEui);
    try {
      return await work();
    } finally {
      this.#inFlight.delete(devEui);
    }
  }

  async #join(request: JoinHeard): Promise<Outcome> {
    const { devEui, joinEui } = request.frame;
    const device = this.#ports.registry.byDevEui(devEui);
    if (!device || device.joinEui !== joinEui) return "join/unknown-device";
    return this.#activations.answer({ kind: "join", request, device, joinEui, ...this.#anew(device, request) });
  }

  async #rejoin(request: RejoinHeard): Promise<Outcome> {
    const { frame } = request;
    return frame.rejoinType === 1 ? this.#rejoinByJoinEui(request, frame.joinEui) : this.#rejoinOfSession(request);
  }

  /** Type 1: the join-server checks it (JSIntKey, RJcount1), as it does a join-request. */
  async #rejoinByJoinEui(request: RejoinHeard, joinEui: string): Promise<Outcome> {
    const { state, registry } = this.#ports;
    const device = registry.byDevEui(request.frame.devEui);
    if (!device || device.joinEui !== joinEui || !rules(device.macVersion).rejoins) return "rejoin/unknown-device";
    const { settings, windows } = this.#anew(device, request);
    const slot = slotsOf(device.devEui, state.sessions).find((at) => !state.sessions.table.is(at, flag.pending));
    return this.#activations.answer({
      ...{ kind: "rejoin", request, device, joinEui, settings },
      windows: slot === undefined ? windows : this.#windowsOf(slot),
    });
  }

  /** Types 0 and 2: the session's network checks them. */
  async #rejoinOfSession(request: RejoinHeard): Promise<Outcome> {
    const { state, registry, netId } = this.#ports;
    const { sessions } = state;
    const { frame, phyPayload } = request;
    const slot = authenticateRejoin(phyPayload, frame, sessions, netId);
    if (typeof slot === "string") return slot;
    const device = registry.byDevEui(frame.devEui);
    if (!device?.joinEui) return "rejoin/no-session";
    const windows = this.#windowsOf(slot);
    const settings = frame.rejoinType === 2 ? settingsOf(slot, sessions) : this.#anew(device, request).settings;
    await claimRejoin(slot, frame.rjCount, state);
    return this.#activations.answer({ kind: "rejoin", request, device, joinEui: device.joinEui, settings, windows });
  }

  /** For a device whose radio parameters begin anew, on a channel where devices join. */
  #anew(device: Device, { heard }: JoinHeard | RejoinHeard): Plan {
    const region = regionAt(regionIndex(device.region));
    const { reception } = heard[0] as Heard<unknown>;
    const dr = dataRateIndex(region, "up", reception.dataRate, reception.codingRate);
    const { rx2 } = joinWindows(region, reception.hz, dr ?? -1);
    return {
      settings: settingsFor(region, device.macVersion, this.#ports.rxDelay, rx2),
      windows: (one) => joinAcceptWindows(region, one),
    };
  }

  /** After a rejoin-request a device listens where its session says, but as late as for a join-accept (LoRaWAN 1.1 §6.2.4.4). */
  #windowsOf(slot: number): Plan["windows"] {
    const { sessions } = this.#ports.state;
    const { rx1DrOffset, rx2DataRate, rx2Hz } = sessions.table.columns;
    const region: RegionParameters = sessions.region(slot);
    const parameters: RxParameters = {
      rxDelay: joinAcceptDelayS.rx1,
      rx1DrOffset: rx1DrOffset[slot] as number,
      rx2DataRate: rx2DataRate[slot] as number,
      rx2Hz: rx2Hz[slot] as number,
    };
    return (reception) => classAWindows(region, parameters, reception);
  }
}

const isJoin = (request: JoinHeard | RejoinHeard): request is JoinHeard => request.frame.type === "JoinRequest";
