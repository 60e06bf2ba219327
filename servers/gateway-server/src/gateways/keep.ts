/** What happens to gateways as time goes by: connections that fell silent are told of, and who was seen is written down. */
import type { Store } from "@trefoil/store";
import type { storeDefinition } from "../store.ts";
import type { ConnectedGateway } from "./gateway.ts";
import type { GatewayTable } from "./gateway-table.ts";

const sweepMs = 5_000;
const saveMs = 60_000;

export function keepGateways(
  store: Pick<Store<keyof typeof storeDefinition.statements>, "commit">,
  table: GatewayTable,
  changed: (gateway: ConnectedGateway) => void,
  nowMs: () => number,
  failed: (error: unknown) => void,
): { stop(): Promise<void> } {
  const save = async () => {
    const seen = Array.from(table.values()).filter((one) => one.registered && one.lastSeen !== one.lastSeenSaved);
    for (const gateway of seen) gateway.lastSeenSaved = gateway.lastSeen;
    const rows = seen.map(({ row, lastSeen }) => [row.eui, lastSeen ?? null]);
    if (rows.length > 0) await store.commit([{ statement: "seen", rows }]).catch(failed);
  };
  const sweeping = setInterval(() => table.sweep(nowMs()).forEach(changed), sweepMs);
  const saving = setInterval(() => void save(), saveMs);
  return {
    stop: () => {
      clearInterval(sweeping);
      clearInterval(saving);
      return save();
    },
  };
}
