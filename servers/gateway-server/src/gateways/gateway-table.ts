/** All gateways of this process, by EUI: the registered ones, and those let in by `unknownGateways: accept`. */
import type { RegionParameters } from "@trefoil/lorawan";
import type { Gateway } from "@trefoil/wire";
import { type ConnectedGateway, isSilent, newGateway, pullPath } from "./gateway.ts";

/** Anyone can make up EUIs: no more strangers than this at a time. */
const mostStrangers = 1_000;

export class GatewayTable {
  readonly #byEui = new Map<string, ConnectedGateway>();
  readonly #region: RegionParameters;
  readonly #acceptUnknown: boolean;
  #strangers = 0;

  constructor(region: RegionParameters, acceptUnknown: boolean) {
    this.#region = region;
    this.#acceptUnknown = acceptUnknown;
  }

  get size(): number {
    return this.#byEui.size;
  }

  values(): Iterable<ConnectedGateway> {
    return this.#byEui.values();
  }

  get(eui: string): ConnectedGateway | undefined {
    return this.#byEui.get(eui);
  }

  /** A gateway that speaks: a stranger gets an entry for as long as it is heard, if strangers are welcome. */
  admit(eui: string): ConnectedGateway | undefined {
    const known = this.#byEui.get(eui);
    if (known || !this.#acceptUnknown || this.#strangers >= mostStrangers) return known;
    this.#strangers++;
    const stranger = newGateway({ eui, gatewayId: `eui-${eui}` }, false, this.#region);
    this.#byEui.set(eui, stranger);
    return stranger;
  }

  /** A registered gateway. What a stranger of that EUI has been heard with stays: its clock, its address. */
  register(row: Gateway, lastSeen?: number): ConnectedGateway {
    const stranger = this.#byEui.get(row.eui);
    if (!stranger || stranger.registered) {
      const gateway = newGateway(row, true, this.#region, lastSeen);
      this.#byEui.set(row.eui, gateway);
      return gateway;
    }
    this.#strangers--;
    stranger.row = row;
    stranger.registered = true;
    return stranger;
  }

  remove(eui: string): ConnectedGateway | undefined {
    const gateway = this.#byEui.get(eui);
    if (gateway && !gateway.registered) this.#strangers--;
    this.#byEui.delete(eui);
    return gateway;
  }

  /** Those whose connection came or went since the last sweep. Strangers that fell silent are forgotten. */
  sweep(nowMs: number): ConnectedGateway[] {
    const changed: ConnectedGateway[] = [];
    for (const gateway of this.#byEui.values()) {
      const connected = pullPath(gateway, nowMs) !== undefined;
      if (connected !== gateway.connected) {
        gateway.connected = connected;
        changed.push(gateway);
      }
      if (!gateway.registered && isSilent(gateway, nowMs)) this.remove(gateway.row.eui);
    }
    return changed;
  }
}
