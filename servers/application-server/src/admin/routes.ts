/** Administration of the application-server (platform/wire/src/admin.ts). */
import { Readable } from "node:stream";
import { isEui, type KekRing, type PublishedReceiver } from "@trefoil/custody";
import { AdminRefusal, type Context } from "@trefoil/service";
import type { Store } from "@trefoil/store";

import { hashPassword, makePassword } from "../mqtt/passwords.ts";
import type { HotStatement } from "../schema.ts";
import type { Application, Applications } from "./applications.ts";
import type { Devices } from "./devices.ts";
import { parseApplication } from "./parse.ts";

export type RoutesPorts = {
  readonly store: Store<HotStatement>;
  readonly applications: Applications;
  readonly devices: Devices;
  readonly sealingKey: PublishedReceiver;
  readonly makeKek: () => Promise<ReturnType<KekRing["make"]>>;
  /** Ends what an application still has open: rows of its MQTT sessions, its connections, its remembered password. */
  readonly dismiss: (application: Application) => Promise<void>;
};

type DeviceRow = {
  readonly device: number;
  readonly dev_eui: string;
  readonly join_eui: string | null;
  readonly application: number;
  readonly device_id: string;
};

const mostDevices = 10_000;
const listPage = 500;

export function addRoutes(admin: Context["admin"], ports: RoutesPorts): void {
  const { store, applications, devices } = ports;

  admin.get("/sealing-key", async () => ports.sealingKey);
  admin.post("/kek", () => ports.makeKek());

  admin.post("/applications", async (request) => {
    const parsed = parseApplication(request.body);
    if ("ok" in parsed) throw new AdminRefusal(parsed.code, parsed.message);
    const { applicationId, name } = parsed;
    const password = makePassword();
    const secret = await hashPassword(password);
    const application = { application: applications.nextNumber(), applicationId, name, createdAt: Date.now(), secret };
    const row = [application.application, applicationId, name, application.createdAt, secret.salt, secret.hash];
    const { changes } = await store.commit([{ statement: "insertApplication", rows: [row] }]);
    if (changes[0]?.[0] !== 1)
      throw new AdminRefusal("application/exists", `there is an application ${applicationId} already`, 409);
    applications.add(application);
    return { applicationId, mqtt: { username: applicationId, password } };
  });

  admin.get("/applications", async () =>
    applications.all().map(({ applicationId, name, createdAt }) => ({ applicationId, name, createdAt })),
  );

  admin.delete<{ Params: { id: string } }>("/applications/:id", async ({ params }) => {
    const application = applications.byId(params.id);
    if (application === undefined) throw noSuch("application", params.id);
    if (countDevices(application.application) > 0)
      throw new AdminRefusal("application/has-devices", `${params.id} still has devices: delete them first`, 409);
    await store.commit([{ statement: "deleteApplication", rows: [[application.application]] }]);
    applications.remove(application);
    await ports.dismiss(application);
    return {};
  });

  admin.post("/devices", async (request) => {
    if (!Array.isArray(request.body)) throw new AdminRefusal("admin/malformed", "the body must be a list of devices");
    if (request.body.length > mostDevices)
      throw new AdminRefusal("admin/too-many", `at most ${mostDevices} devices at once`, 413);
    return devices.create(request.body);
  });

  admin.get<{ Querystring: { application?: string } }>("/devices", async ({ query }, reply) => {
    const only = query.application === undefined ? undefined : applications.byId(query.application);
    if (query.application !== undefined && only === undefined) throw noSuch("application", query.application);
    return reply.type("application/json").send(Readable.from(listDevices(only?.application)));
  });

  admin.get<{ Params: { devEui: string } }>("/devices/:devEui", async ({ params }) => {
    const device = readDevice(params.devEui.toLowerCase());
    if (device === undefined) throw noSuch("device", params.devEui);
    return device;
  });

  admin.delete<{ Params: { devEui: string } }>("/devices/:devEui", async ({ params }) => {
    const devEui = params.devEui.toLowerCase();
    if (!isEui(devEui) || !(await devices.remove(devEui))) throw noSuch("device", params.devEui);
    return {};
  });

  const countDevices = (application: number): number =>
    store.read<{ n: number }>("SELECT count(*) AS n FROM device WHERE application = ?").get(application)?.n ?? 0;

  /** One device, with its sessions (no keys) and the length of its downlink queue. */
  function readDevice(devEui: string): object | undefined {
    const row = store.read<DeviceRow>("SELECT * FROM device WHERE dev_eui = ?").get(devEui);
    if (row === undefined) return undefined;
    const sessions = store
      .read<{ id: string; current: number; last: number }>(
        "SELECT session_key_id AS id, is_current AS current, last_f_cnt_down AS last FROM session WHERE device = ? AND ended_position IS NULL",
      )
      .all(row.device)
      .map(({ id, current, last }) => ({
        sessionKeyId: id,
        state: current === 1 ? "current" : "pending",
        ...(last < 0 ? {} : { lastFCntDown: last }),
      }));
    const waiting = store
      .read<{ n: number }>("SELECT count(*) AS n FROM downlink WHERE device = ? AND state <> 'done'")
      .get(row.device);
    return { ...shown(row), sessions, downlinksWaiting: waiting?.n ?? 0 };
  }

  const shown = ({ application, device_id: deviceId, dev_eui: devEui, join_eui: joinEui }: DeviceRow) => ({
    applicationId: applications.idOf(application),
    deviceId,
    devEui,
    ...(joinEui === null ? {} : { joinEui }),
  });

  /** A JSON list in pages, so that a million devices do not stop the traffic. */
  async function* listDevices(application: number | undefined): AsyncGenerator<string> {
    const page = store.read<DeviceRow>(
      "SELECT * FROM device WHERE device > ?1 AND (?2 IS NULL OR application = ?2) ORDER BY device LIMIT ?3",
    );
    let separator = "[";
    for (let last = 0; ; ) {
      const rows = page.all(last, application ?? null, listPage);
      for (const row of rows) {
        yield separator + JSON.stringify(shown(row));
        separator = ",";
        last = row.device;
      }
      if (rows.length < listPage) break;
    }
    yield separator === "[" ? "[]" : "]";
  }
}

const noSuch = (what: string, id: string) =>
  new AdminRefusal(`${what}/unknown`, `there is no ${what} ${id.slice(0, 64)}`, 404);
