/** Tells the network-server which gateways it can reach: all of them when the link comes up, then what has changed. */
import type { GatewayState } from "@trefoil/wire";
import { type ConnectedGateway, stateOf } from "./gateway.ts";
import type { GatewayTable } from "./gateway-table.ts";

export type Notices = { readonly all: () => void; readonly changed: (gateway: ConnectedGateway) => void };

/** Changes of one turn of the event loop leave together. What cannot be sent now is part of what the next link begins with. */
export function openNotices(
  table: GatewayTable,
  tell: (gateways: readonly GatewayState[]) => Promise<unknown>,
): Notices {
  let waiting = new Map<string, GatewayState>();
  const say = (gateways: readonly GatewayState[]) => void tell(gateways).catch(() => undefined);
  const flush = () => {
    const gateways = [...waiting.values()];
    waiting = new Map();
    say(gateways);
  };
  return {
    all: () => say(Array.from(table.values(), stateOf)),
    changed: (gateway) => {
      if (waiting.size === 0) setImmediate(flush);
      waiting.set(gateway.row.eui, stateOf(gateway));
    },
  };
}
