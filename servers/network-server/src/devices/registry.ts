/** Devices in the store. They are read when one joins or an operator asks; uplinks need only their sessions. */
import type { Store } from "@trefoil/store";
import type { MacVersion } from "@trefoil/wire";
import type { HotStatement } from "../schema.ts";

export type Device = {
  readonly deviceId: number;
  readonly devEui: string;
  readonly joinEui?: string;
  readonly macVersion: MacVersion;
  readonly region: string;
  readonly asId: string;
};
type DeviceRow = {
  readonly device_id: number;
  readonly dev_eui: Uint8Array;
  readonly join_eui: Uint8Array | null;
  readonly mac_version: string;
  readonly region: string;
  readonly as_id: string;
};

const hex = (octets: Uint8Array) => Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString("hex");
const octets = (eui: string) => Uint8Array.from(Buffer.from(eui, "hex"));

const deviceOf = (row: DeviceRow): Device => ({
  deviceId: row.device_id,
  devEui: hex(row.dev_eui),
  ...(row.join_eui ? { joinEui: hex(row.join_eui) } : {}),
  macVersion: row.mac_version as MacVersion,
  region: row.region,
  asId: row.as_id,
});

export class Registry {
  readonly #store: Store<HotStatement>;
  #lastDeviceId: number;
  #lastSessionId: number;

  constructor(store: Store<HotStatement>, highestSession: number) {
    this.#store = store;
    this.#lastSessionId = highestSession;
    this.#lastDeviceId =
      store.read<{ last: number | null }>("SELECT max(device_id) AS last FROM device").get()?.last ?? 0;
  }

  get size(): number {
    return this.#store.read<{ n: number }>("SELECT count(*) AS n FROM device").get()?.n ?? 0;
  }
  byDevEui(devEui: string): Device | undefined {
    const row = this.#store.read<DeviceRow>("SELECT * FROM device WHERE dev_eui = ?").get(octets(devEui));
    return row && deviceOf(row);
  }
  /** In the order of their DevEUIs, those after `after`. */
  list(after: string | undefined, limit: number): Device[] {
    const from = after === undefined ? new Uint8Array(0) : octets(after);
    const sql = "SELECT * FROM device WHERE dev_eui > ? ORDER BY dev_eui LIMIT ?";
    return this.#store.read<DeviceRow>(sql).all(from, limit).map(deviceOf);
  }
  hasSessionKeyId(sessionKeyId: string): boolean {
    return this.#store.read("SELECT 1 AS found FROM session WHERE session_key_id = ?").get(sessionKeyId) !== undefined;
  }
  /** Where downlink counters go on that personalised sessions of this device have used before, whatever its DevAddr was. */
  spentCounters(devEui: Uint8Array): { readonly nFCntDown: number; readonly aFCntDown: number } {
    const sql =
      "SELECT coalesce(max(n_f_cnt_down), 0) AS nFCntDown, coalesce(max(a_f_cnt_down), 0) AS aFCntDown FROM spent_counter WHERE dev_eui = ?";
    return (
      this.#store.read<{ nFCntDown: number; aFCntDown: number }>(sql).get(devEui) ?? { nFCntDown: 0, aFCntDown: 0 }
    );
  }

  newDeviceId(): number {
    return ++this.#lastDeviceId;
  }
  newSessionId(): number {
    return ++this.#lastSessionId;
  }
}

export { octets as euiOctets };
