/** Administration of gateways (platform/wire/src/admin.ts): POST, GET and DELETE /gateways. */
import { parseGatewayEui } from "@trefoil/lorawan";
import { AdminRefusal, type Context, checker, Fault } from "@trefoil/service";
import type { Gateway } from "@trefoil/wire";
import Type from "typebox";
import { type storeDefinition, toRow } from "../store.ts";
import type { ConnectedGateway } from "./gateway.ts";
import type { GatewayTable } from "./gateway-table.ts";

const degrees = (most: number) => Type.Number({ minimum: -most, maximum: most });
const exact = { additionalProperties: false } as const;
const checkGateway = checker(
  Type.Object(
    {
      gatewayId: Type.String({ pattern: "^[a-z0-9](?:-?[a-z0-9]){1,35}$" }),
      eui: Type.String(),
      antennaGainDbi: Type.Optional(Type.Number({ minimum: -20, maximum: 30 })),
      location: Type.Optional(
        Type.Object(
          {
            latitude: degrees(90),
            longitude: degrees(180),
            altitude: Type.Optional(Type.Number({ minimum: -1_000, maximum: 100_000 })),
          },
          exact,
        ),
      ),
    },
    exact,
  ),
);

type Ctx = Pick<Context<"gateway-server", keyof typeof storeDefinition.statements>, "admin" | "store" | "log">;

/** `changed` is told of a gateway that came or went. */
export function addGatewayRoutes(
  { admin, store, log }: Ctx,
  table: GatewayTable,
  changed: (gateway: ConnectedGateway) => void,
): void {
  admin.post("/gateways", async ({ body }) => {
    const problem = checkGateway(body);
    const eui = problem === undefined ? parseGatewayEui((body as Gateway).eui) : undefined;
    if (eui === undefined) throw new AdminRefusal("gateway/invalid", problem ?? "an EUI is 16 hex digits");
    const row: Gateway = { ...(body as Gateway), eui };
    if (table.get(eui)?.registered) throw new AdminRefusal("gateway/exists", `gateway ${eui} exists`, 409);
    await store.commit([{ statement: "create", rows: [toRow(row, Date.now())] }]).catch((error: unknown) => {
      if (error instanceof Fault && error.code === "store/constraint")
        throw new AdminRefusal("gateway/id-taken", `another gateway is called ${row.gatewayId}, or has this EUI`, 409);
      throw error;
    });
    changed(table.register(row));
    log.info({ gateway: eui, gatewayId: row.gatewayId }, "gateway created");
    return {};
  });

  admin.get("/gateways", async () =>
    [...table.values()].map(({ row, connected, lastSeen }) => ({
      ...row,
      connected,
      ...(lastSeen === undefined ? {} : { lastSeen }),
    })),
  );

  admin.delete<{ Params: { eui: string } }>("/gateways/:eui", async ({ params }) => {
    const eui = parseGatewayEui(params.eui);
    if (eui === undefined || !table.get(eui)?.registered)
      throw new AdminRefusal("gateway/unknown", `there is no gateway ${params.eui}`, 404);
    await store.commit([{ statement: "delete", rows: [[eui]] }]);
    const gone = table.remove(eui);
    if (gone) changed({ ...gone, connected: false });
    log.info({ gateway: eui }, "gateway deleted");
    return {};
  });
}
