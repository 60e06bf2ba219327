import type { Store } from "@trefoil/store";
import { expect, test } from "vitest";
import { DeviceTable } from "../devices/device-table.ts";
import type { HotStatement } from "../schema.ts";
import { type Entry, EventLog } from "./event-log.ts";
import type { LogEvent } from "./events.ts";
import { makeRenderer } from "./render.ts";

const devices = new DeviceTable();
devices.add({ device: 1, devEui: "0011223344556601", joinEui: null, application: 1, deviceId: "sensor" });
const sent = (n: number): LogEvent => ({
  is: "downlink.sent",
  id: `id-${n}`,
  devEui: "0011223344556601",
  devAddr: "26000001",
  sessionKeyId: "00",
  at: 0,
  queueId: `${n}`,
  fCntDown: n,
  gatewayId: "roof",
});

/** A store that commits everything and holds nothing. */
const store = {
  read: () => ({ get: () => undefined }),
  commit: async () => ({ changes: [] }),
} as unknown as Store<HotStatement>;

const passedOver: unknown[] = [];
const { open, render } = makeRenderer({
  devices,
  applicationId: () => "app",
  appSKey: () => undefined,
  downlink: (queueId) => {
    if (queueId === "2") throw new RangeError("Invalid time value");
    return { fPort: 1 };
  },
  netId: "000013",
  unreadable: () => undefined,
  unrenderable: ({ id }) => passedOver.push(id),
});

test("an event whose message cannot be made is passed over, once, and its neighbours are told", () => {
  const entry = open(1, 0, [sent(1), sent(2), sent(3)]);
  const told = () => [0, 1, 2].map((n) => render(entry, n)?.topic.endsWith("/down/sent"));
  expect(told()).toEqual([true, undefined, true]);
  expect(told()).toEqual([true, undefined, true]);
  expect(passedOver).toEqual(["id-2"]);
});

test("a reader that throws neither fails a committed append nor keeps later readers from their batch", async () => {
  const failures: unknown[] = [];
  const log = new EventLog(store, open, { keepEvents: 1_000, readerFailed: (error) => failures.push(error) });
  const read: Entry[] = [];
  const failure = new RangeError("Invalid time value");
  log.onEntry(() => {
    throw failure;
  });
  log.onEntry((entry) => read.push(entry));
  const entry = await log.append([sent(1)], []);
  expect(read).toEqual([entry]);
  expect(failures).toEqual([failure]);
  expect(log.end).toBe(log.next);
});
