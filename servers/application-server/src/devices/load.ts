import type { Store } from "@trefoil/store";
import type { HotStatement } from "../schema.ts";
import { DeviceTable, type NewDevice } from "./device-table.ts";

type Row = {
  readonly device: number;
  readonly dev_eui: string;
  readonly join_eui: string | null;
  readonly application: number;
  readonly device_id: string;
};

/** Rows read at once: a million rows come faster so than one by one. */
export const rowsAtOnce = 1_000;

/** All devices of the store, in memory. */
export function loadDevices(store: Store<HotStatement>): DeviceTable {
  const devices = new DeviceTable();
  const page = store.read<Row>("SELECT * FROM device WHERE device > ? ORDER BY device LIMIT ?");
  for (let last: Row | undefined, rows: Row[]; ; last = rows.at(-1)) {
    rows = page.all(last?.device ?? 0, rowsAtOnce);
    for (const row of rows) devices.add(deviceOf(row));
    if (rows.length < rowsAtOnce) break;
  }
  return devices;
}

const deviceOf = ({ device, dev_eui, join_eui, application, device_id }: Row): NewDevice => ({
  device,
  devEui: dev_eui,
  joinEui: join_eui,
  application,
  deviceId: device_id,
});
