/** The calls of the administration socket that concern devices (platform/wire/src/admin.ts). */
import type { PublishedReceiver } from "@trefoil/custody";
import { AdminRefusal, type Context } from "@trefoil/service";
import { askForRejoin } from "../join/rejoin.ts";
import { type AdminPorts, DeviceAdmin } from "./admin.ts";
import { viewDevice } from "./view.ts";

const isEui = (text: string) => /^[0-9a-f]{16}$/.test(text);
const usualPage = 1_000;
const longestPage = 10_000;

export function addDeviceRoutes(routes: Context["admin"], ports: AdminPorts, published: PublishedReceiver): void {
  const { state, registry } = ports;
  const admin = new DeviceAdmin(ports);
  const named = (devEui: string) => {
    const device = isEui(devEui) ? registry.byDevEui(devEui) : undefined;
    if (!device) throw new AdminRefusal("device/unknown", `there is no device ${devEui}`, 404);
    return device;
  };
  routes.get("/sealing-key", async () => published);
  routes.post("/devices", (request) => admin.add(request.body));
  routes.get("/devices", async (request) => {
    const { after, limit = String(usualPage) } = request.query as { after?: string; limit?: string };
    if (after !== undefined && !isEui(after))
      throw new AdminRefusal("admin/after", "after must be a DevEUI: the last one of the former page");
    const rows = Number(limit);
    if (!(Number.isInteger(rows) && rows >= 1 && rows <= longestPage))
      throw new AdminRefusal("admin/limit", `limit must be a whole number from 1 to ${longestPage}`);
    return registry.list(after, rows).map((device) => viewDevice(device, state));
  });
  routes.get<{ Params: { devEui: string } }>("/devices/:devEui", async ({ params }) =>
    viewDevice(named(params.devEui), state),
  );
  routes.post<{ Params: { devEui: string } }>("/devices/:devEui/expect-rejoin", async ({ params }) => {
    if (!(await askForRejoin(named(params.devEui).devEui, state)))
      throw new AdminRefusal("device/no-session", "the device has no joined session of LoRaWAN 1.1", 409);
    return {};
  });
  routes.delete<{ Params: { devEui: string } }>("/devices/:devEui", async ({ params }) => {
    await admin.remove(named(params.devEui).devEui);
    return {};
  });
}
