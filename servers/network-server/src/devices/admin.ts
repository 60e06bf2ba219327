/** Administration of devices (platform/wire/src/admin.ts): rows are checked one by one, stored in groups. */
import type { Opener } from "@trefoil/custody";
import { AdminRefusal } from "@trefoil/service";
import type { NetworkDevice, Results } from "@trefoil/wire";
import { noFCnt } from "../sessions/columns.ts";
import { noChannels, regionAt, regionIndex } from "../sessions/regions.ts";
import { addSession, type SessionToStore, storeSession } from "../sessions/rows.ts";
import { deleteSession } from "../sessions/spent.ts";
import type { State } from "../state.ts";
import { Batch } from "../uplink/batch.ts";
import { openNetworkKeys } from "./keys.ts";
import { parseNetworkDevice, type Refused } from "./parse.ts";
import { euiOctets, type Registry } from "./registry.ts";

type Row = Results["results"][number];
export type AdminPorts = {
  readonly state: State;
  readonly registry: Registry;
  readonly opener: Opener;
  /** Regions that this network offers. */
  readonly isRegion: (name: string) => boolean;
};

/** Rows stored in one transaction: uplinks pass between the groups. */
const groupSize = 500;

export class DeviceAdmin {
  readonly #ports: AdminPorts;
  /** One call after another: what is looked up stays true until it is stored. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(ports: AdminPorts) {
    this.#ports = ports;
  }

  add(rows: unknown): Promise<Results> {
    if (!Array.isArray(rows)) throw new AdminRefusal("admin/invalid-body", "the body is a list of devices");
    return this.#inOrder(async () => {
      const results: Row[] = [];
      for (let at = 0; at < rows.length; at += groupSize)
        results.push(...(await this.#addGroup(rows.slice(at, at + groupSize))));
      return { results };
    });
  }

  /** Forgets the device, its sessions and its keys. False when there is none. */
  remove(devEui: string): Promise<boolean> {
    return this.#inOrder(async () => {
      const { state, registry } = this.#ports;
      const device = registry.byDevEui(devEui);
      if (!device) return false;
      const { table } = state.sessions;
      const batch = new Batch();
      const { deviceId } = device;
      const sessions = table
        .ofDevice(euiOctets(devEui))
        .map((slot) => ({ slot, sessionId: table.columns.sessionId[slot] as number }));
      for (const { slot } of sessions) deleteSession(slot, state.sessions, batch);
      for (const statement of ["deleteDownlink", "deleteAwaited", "deleteDevice"] as const)
        batch.add(statement, deviceId);
      batch.afterwards(() => {
        for (const { slot, sessionId } of sessions) if (table.isStill(slot, sessionId)) state.sessions.remove(slot);
        const open = state.downlinks.get(deviceId);
        if (open) state.downlinks.delete(open);
        const awaited = state.downlinks.awaited(deviceId);
        if (awaited) state.downlinks.settle(awaited);
      });
      await state.commit(batch);
      return true;
    });
  }

  async #addGroup(rows: readonly unknown[]): Promise<Row[]> {
    const { state } = this.#ports;
    const batch = new Batch();
    const seen = new Set<string>();
    const sessions: SessionToStore[] = [];
    const results = rows.map((value): Row => {
      const device = parseNetworkDevice(value, this.#ports.isRegion);
      return "ok" in device ? device : this.#addRow(device, batch, seen, sessions);
    });
    batch.afterwards(() => {
      for (const session of sessions) addSession(state.sessions, session);
    });
    try {
      await state.commit(batch);
    } finally {
      for (const { keys } of sessions) keys.fill(0);
    }
    return results;
  }

  #addRow(device: NetworkDevice, batch: Batch, seen: Set<string>, sessions: SessionToStore[]): Row {
    const { registry, opener } = this.#ports;
    const { devEui, joinEui, macVersion, region, asId, abp } = device;
    const refuse = (code: string, message: string): Refused => ({ ok: false, code, message });
    if (seen.has(devEui) || registry.byDevEui(devEui))
      return refuse("device/exists", `there is a device ${devEui} already`);
    if (abp && (seen.has(abp.sessionKeyId) || registry.hasSessionKeyId(abp.sessionKeyId)))
      return refuse("device/session-key-id", "another session has this sessionKeyId");
    const keys = abp ? openNetworkKeys(opener, device) : undefined;
    if (keys && "ok" in keys) return keys;

    seen.add(devEui);
    const deviceId = registry.newDeviceId();
    const eui = euiOctets(devEui);
    batch.add(
      "insertDevice",
      deviceId,
      eui,
      joinEui === undefined ? null : euiOctets(joinEui),
      macVersion,
      region,
      asId,
    );
    if (!abp || !keys) return { ok: true };
    seen.add(abp.sessionKeyId);
    const { rx2 } = regionAt(regionIndex(region));
    // The last counters used (`fCntDown`), so that the next ones are fresh.
    const next = (last: number | undefined) => (last === undefined ? 0 : last + 1);
    const devAddr = Number.parseInt(abp.devAddr, 16);
    const spent = registry.spentCounters(eui);
    const session: SessionToStore = {
      sessionId: registry.newSessionId(),
      deviceId,
      devAddr,
      devEui: eui,
      keys,
      sessionKeyId: abp.sessionKeyId,
      macVersion,
      region,
      channels: noChannels,
      isPending: false,
      isJoined: false,
      fCntUp: abp.fCntUp ?? noFCnt,
      nFCntDown: Math.max(next(abp.fCntDown), spent.nFCntDown),
      aFCntDown: Math.max(next(abp.aFCntDown ?? abp.fCntDown), spent.aFCntDown),
      rxDelay: 1,
      rx1DrOffset: 0,
      rx2DataRate: rx2.dr,
      rx2Hz: rx2.hz,
    };
    storeSession(batch, session);
    sessions.push(session);
    return { ok: true };
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => undefined);
    return done;
  }
}
