/** Administration of devices (platform/wire/src/admin.ts): HTTP on this server's own unix socket. */
import { isEui, type Vault } from "@trefoil/custody";
import { AdminRefusal, type Context } from "@trefoil/service";
import type { DeviceId, ExposureRow, JoinDevice, Results } from "@trefoil/wire";
import type { Audit } from "../audit.ts";
import type { Standing } from "../standing.ts";
import type { Turns } from "../turns.ts";
import { type Device, shown } from "./device.ts";
import { importDevices } from "./import.ts";
import { limitOf, type Paged } from "./paged.ts";
import type { Registry } from "./registry.ts";

export type DevicePorts = {
  readonly registry: Registry;
  readonly audit: Audit;
  readonly vault: Pick<Vault, "importRootKeys" | "exposure">;
  readonly turns: Turns;
  readonly standing: () => Standing;
};
type OfDevice = { readonly devEui: string };
/** Devices in one question about their exposure. */
const exposureGroup = 500;

export function addDeviceRoutes(admin: Context["admin"], ports: DevicePorts): void {
  const { registry, audit, vault, turns, standing } = ports;
  /** With whom the owner's statements say that it is. */
  const row = (device: Device) => ({ ...shown(device), ...standing().assignedTo(device) });

  admin.post<{ Body: readonly JoinDevice[] }>("/devices", async ({ body }): Promise<Results> => {
    if (!Array.isArray(body)) throw new AdminRefusal("admin/invalid-body", "the body is a list of devices");
    return importDevices(body, ports);
  });
  admin.get<{ Querystring: Paged }>("/devices", async ({ query }) =>
    registry.list(query.after ?? "", limitOf(query)).map(row),
  );
  admin.get<{ Params: OfDevice }>("/devices/:devEui", async ({ params }) => row(deviceOf(registry, params)));
  admin.get<{ Params: OfDevice }>("/devices/:devEui/history", async ({ params }) => {
    const device = deviceOf(registry, params);
    const { lastJoinNonce, rjCount0, rjCount1 } = shown(device);
    return { usedDevNonces: registry.usedDevNonces(device), lastJoinNonce, ...given({ rjCount0, rjCount1 }) };
  });
  admin.delete<{ Params: OfDevice }>("/devices/:devEui", async ({ params }) =>
    turns.take(lower(params), async () => {
      const device = deviceOf(registry, params);
      const { devEui, joinEui, lastJoinNonce } = device;
      await registry.remove(device, audit.entry("device/deleted", devEui, { joinEui, lastJoinNonce }));
      return {};
    }),
  );
  admin.post<{ Params: OfDevice; Body: { readonly reason?: unknown } | null }>(
    "/devices/:devEui/reset-nonces",
    async ({ params, body }) => {
      const reason = body?.reason;
      if (typeof reason !== "string" || reason.trim() === "" || reason.length > 500)
        throw new AdminRefusal("device/no-reason", "a reason of 1 to 500 characters is recorded for ever: give one");
      return turns.take(lower(params), async () => {
        const device = deviceOf(registry, params);
        const { devEui, lastDevNonce, lastJoinNonce } = device;
        await registry.resetNonces(
          device,
          audit.entry("device/nonces-reset", devEui, { reason, lastDevNonce, lastJoinNonce }),
        );
        return {};
      });
    },
  );
  admin.get<{ Querystring: Paged }>("/exposure", async ({ query }): Promise<readonly ExposureRow[]> => {
    const devices = registry.list(query.after ?? "", limitOf(query, 10_000));
    const rows: ExposureRow[] = [];
    for (let at = 0; at < devices.length; at += exposureGroup)
      rows.push(...(await vault.exposure(devices.slice(at, at + exposureGroup).map(withBlobs))));
    return rows;
  });
  admin.get<{ Querystring: Paged }>("/audit", async ({ query }) =>
    audit.list(Number(query.after ?? 0) || 0, limitOf(query)),
  );
}

export const withBlobs = ({ devEui, joinEui, blobs }: Device): DeviceId & Pick<Device, "blobs"> => ({
  devEui,
  joinEui,
  ...(blobs === undefined ? {} : { blobs }),
});

const given = <T extends object>(fields: T): Partial<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;

const lower = ({ devEui }: OfDevice): string => devEui.toLowerCase();

function deviceOf(registry: Registry, params: OfDevice): Device {
  const devEui = lower(params);
  const device = isEui(devEui) ? registry.byDevEui(devEui) : undefined;
  if (device === undefined) throw new AdminRefusal("device/unknown", `there is no device ${devEui.slice(0, 32)}`, 404);
  return device;
}
