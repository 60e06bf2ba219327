/** Administration of the join-server (platform/wire/src/admin.ts): HTTP on its own unix socket. */
import type { Vault } from "@trefoil/custody";
import { isEui } from "@trefoil/custody";
import { AdminRefusal, type Context } from "@trefoil/service";
import type { JoinDevice, Results, SignedRegistration } from "@trefoil/wire";
import type { Audit } from "../audit.ts";
import type { Turns } from "../turns.ts";
import { importDevices } from "./import.ts";
import type { Device, Registry } from "./registry.ts";

export type AdminPorts = {
  readonly registry: Registry;
  readonly audit: Audit;
  readonly vault: Vault;
  readonly turns: Turns;
};

type Paged = { readonly after?: string; readonly limit?: string };
type OfDevice = { readonly devEui: string };
/** Unless the call says otherwise: more than a terminal shows, less than a process should hold as one text. */
const defaultLimit = 100_000;

export function addRoutes(admin: Context["admin"], ports: AdminPorts): void {
  const { registry, audit, vault, turns } = ports;

  admin.get("/vault", async () => vault.info({}));
  admin.get("/registrations", async () => vault.keks({}));
  admin.post<{ Body: SignedRegistration }>("/registrations", async ({ body }) => {
    const registered = await vault.registerKek(body);
    const label = labelOf(body);
    if (registered.result === "registered") {
      await audit.write("registration/accepted", null, { label });
      return {};
    }
    await audit.writeOnce("registration/refused", null, { label, code: registered.code });
    throw new AdminRefusal(registered.code, `the vault did not accept the registration of ${label}`, 409);
  });

  admin.post<{ Body: readonly JoinDevice[] }>("/devices", async ({ body }): Promise<Results> => {
    if (!Array.isArray(body)) throw new AdminRefusal("admin/invalid-body", "the body is a list of devices");
    return importDevices(body, ports);
  });
  admin.get<{ Querystring: Paged }>("/devices", async ({ query }) => registry.list(query.after ?? "", limitOf(query)));
  admin.get<{ Params: OfDevice }>("/devices/:devEui", async ({ params }) => {
    const { blobs: _, history: __, lastDevNonce, ...shown } = deviceOf(registry, params);
    return { ...shown, ...(lastDevNonce < 0 ? {} : { lastDevNonce }) };
  });
  admin.delete<{ Params: OfDevice }>("/devices/:devEui", async ({ params }) =>
    turns.take(lower(params), async () => {
      const device = deviceOf(registry, params);
      await registry.remove(
        device,
        audit.entry("device/deleted", device.devEui, { joinEui: device.joinEui, lastJoinNonce: device.lastJoinNonce }),
      );
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
  admin.get<{ Querystring: Paged }>("/audit", async ({ query }) =>
    audit.list(Number(query.after ?? 0) || 0, limitOf(query)),
  );
}

const lower = ({ devEui }: OfDevice): string => devEui.toLowerCase();

function deviceOf(registry: Registry, params: OfDevice): Device {
  const devEui = lower(params);
  const device = isEui(devEui) ? registry.byDevEui(devEui) : undefined;
  if (device === undefined) throw new AdminRefusal("device/unknown", `there is no device ${devEui.slice(0, 32)}`, 404);
  return device;
}

function limitOf({ limit }: Paged): number {
  const asked = Number(limit ?? defaultLimit);
  return Number.isInteger(asked) && asked > 0 ? Math.min(asked, defaultLimit) : defaultLimit;
}

/** For the audit trail alone: nothing here has checked the signature. */
function labelOf({ payload }: SignedRegistration): string {
  try {
    return String(JSON.parse(payload).label).slice(0, 128);
  } catch {
    return "(unreadable)";
  }
}
