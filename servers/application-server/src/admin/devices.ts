/** Devices come in batches and go one by one. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Opener } from "@trefoil/custody";
import type { Store } from "@trefoil/store";
import type { Results } from "@trefoil/wire";
import type { NewDevice } from "../devices/device-table.ts";
import { type DeviceTable, none } from "../devices/device-table.ts";
import type { Ops, SessionBook } from "../devices/session-book.ts";
import type { DownlinkQueue } from "../downlink/queue.ts";
import type { Unread } from "../log/unread.ts";
import type { HotStatement } from "../schema.ts";
import type { Applications } from "./applications.ts";
import { parseDevice, type Refusal, refusal } from "./parse.ts";

export type DevicesPorts = {
  readonly store: Store<HotStatement>;
  readonly applications: Applications;
  readonly devices: DeviceTable;
  readonly sessions: SessionBook;
  readonly queue: DownlinkQueue;
  readonly unread: Unread;
  readonly opener: Opener;
};
type Result = Results["results"][number];
type SessionRow = ReturnType<SessionBook["wrap"]> & { readonly dev_addr: string };
/** A row that was understood, and where its fate is told. */
type Wanted = { readonly at: number; readonly device: NewDevice; readonly session: SessionRow | undefined };

/** Rows of one transaction, and of one turn of the event loop: traffic goes on meanwhile. */
const rowsPerTurn = 250;

export class Devices {
  readonly #ports: DevicesPorts;
  #last: number;

  constructor(ports: DevicesPorts) {
    this.#ports = ports;
    const last = ports.store.read<{ last: number | null }>("SELECT max(device) AS last FROM device").get();
    this.#last = last?.last ?? 0;
  }

  /** One line per row, in its order: a bad row does not stop the rest. */
  async create(rows: readonly unknown[]): Promise<Results> {
    const results: Result[] = [];
    for (let from = 0; from < rows.length; from += rowsPerTurn) {
      results.push(...(await this.#createSome(rows.slice(from, from + rowsPerTurn))));
      await nextTurn();
    }
    return { results };
  }

  /** False where there is no such device. */
  async remove(devEui: string): Promise<boolean> {
    const { store, devices, sessions, queue, unread } = this.#ports;
    const device = devices.find(devEui);
    if (device === none) return false;
    const statements = [
      ...(["retireCounters", "deleteDevice", "deleteSessions", "deleteDownlinks"] as const),
      ...(["deleteUnread", "deleteWanted"] as const),
    ];
    await store.commit(statements.map((statement) => ({ statement, rows: [[device]] })));
    queue.forget(device);
    sessions.forget(device);
    devices.remove(device);
    unread.recount();
    return true;
  }

  async #createSome(rows: readonly unknown[]): Promise<Result[]> {
    const { store, devices, sessions, unread } = this.#ports;
    const results: Result[] = rows.map(() => ({ ok: true }));
    const wanted: Wanted[] = [];
    for (const [at, row] of rows.entries()) {
      const understood = this.#understand(row);
      if ("ok" in understood) results[at] = understood;
      else wanted.push({ at, ...understood });
    }
    const ops: Ops = [];
    const opOf = wanted.map(({ device, session }) => {
      const { device: number, devEui, joinEui, application, deviceId } = device;
      ops.push({ statement: "insertDevice", rows: [[number, devEui, joinEui, application, deviceId]] });
      const op = ops.length - 1;
      if (session === undefined) return op;
      const { session_key_id, kek_label, app_s_key, dev_addr } = session;
      const row = [number, session_key_id, kek_label, app_s_key, devEui, dev_addr];
      ops.push({ statement: "insertAbpSession", rows: [row] });
      return op;
    });
    const { changes } = await store.commit(ops);
    for (const [n, { at, device, session }] of wanted.entries()) {
      if (changes[opOf[n] as number]?.[0] !== 1) {
        results[at] = refusal("device/exists", "a device with this DevEUI or this id exists already");
        continue;
      }
      devices.add(device);
      if (session === undefined) continue;
      sessions.load(session);
      await unread.release(device.device, session.session_key_id);
    }
    return results;
  }

  #understand(row: unknown): Omit<Wanted, "at"> | Refusal {
    const { applications, sessions, opener } = this.#ports;
    const parsed = parseDevice(row, opener);
    if ("ok" in parsed) return parsed;
    const { devEui, joinEui, deviceId, abp } = parsed;
    const application = applications.byId(parsed.applicationId)?.application;
    if (application === undefined)
      return refusal("device/application", `there is no application ${parsed.applicationId}: create it first`);
    const device: NewDevice = { device: ++this.#last, devEui, joinEui, application, deviceId };
    if (abp === undefined) return { device, session: undefined };
    const session = { ...sessions.wrap(device.device, abp.sessionKeyId, abp.appSKey), dev_addr: abp.devAddr };
    abp.appSKey[Symbol.dispose]();
    return { device, session };
  }
}
