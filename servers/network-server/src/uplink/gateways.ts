/** What the gateway-servers say of their gateways: names and places, for the metadata of uplinks. */
import type { GatewayState, LinkTrust } from "@trefoil/wire";

const eui = /^[0-9a-f]{16}$/;
const trusts: readonly LinkTrust[] = ["none", "server-tls", "token", "mutual-tls"];
const mostGateways = 1_000_000;

export class Gateways {
  readonly #states = new Map<string, GatewayState>();

  get connected(): number {
    let count = 0;
    for (const { connected } of this.#states.values()) if (connected) count++;
    return count;
  }

  get(gateway: string): GatewayState | undefined {
    return this.#states.get(gateway);
  }
  /** The name that its owner gave it, or one made of its EUI. */
  gatewayId(gateway: string): string {
    return this.#states.get(gateway)?.gatewayId ?? `eui-${gateway}`;
  }

  /** False when the body is not a list of gateways; single wrong entries are left out. */
  update(body: unknown): boolean {
    const list = (body as { gateways?: unknown } | null)?.gateways;
    if (!Array.isArray(list)) return false;
    for (const entry of list)
      if (isState(entry) && (this.#states.has(entry.gateway) || this.#states.size < mostGateways))
        this.#states.set(entry.gateway, entry);
    return true;
  }
}

function isState(value: unknown): value is GatewayState {
  const { gateway, gatewayId, connected, trust, location } = (value ?? {}) as {
    [name in keyof GatewayState]?: unknown;
  };
  return (
    typeof gateway === "string" &&
    eui.test(gateway) &&
    typeof gatewayId === "string" &&
    gatewayId.length <= 64 &&
    typeof connected === "boolean" &&
    trusts.includes(trust as LinkTrust) &&
    (location === undefined || isLocation(location))
  );
}

function isLocation(value: unknown): boolean {
  const { latitude, longitude, altitude } = (value ?? {}) as { readonly [name: string]: unknown };
  return [latitude, longitude].every(Number.isFinite) && (altitude === undefined || Number.isFinite(altitude));
}
