import type { Store } from "@trefoil/store";
import type { HotStatement } from "../schema.ts";
import { DeviceTable } from "./device-table.ts";

type Row = {
  readonly device: number;
  readonly dev_eui: string;
  readonly join_eui: string | null;
  readonly application: number;
  readonly device_id: string;
};

/** All devices of the store, in memory. */
export function loadDevices(store: Store<HotStatement>): DeviceTable {
  const devices = new DeviceTable();
  for (const row of store.read<Row>("SELECT * FROM device").iterate())
    devices.add({ ...row, devEui: row.dev_eui, joinEui: row.join_eui, deviceId: row.device_id });
  return devices;
}
