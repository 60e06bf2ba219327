import { KeySchedule } from "@trefoil/lorawan";
import fc from "fast-check";
import { expect, test } from "vitest";
import { DeviceTable, none } from "./device-table.ts";
import { euiHigh, euiLow, lowerEui } from "./eui.ts";
import { EuiIndex } from "./eui-index.ts";
import { SessionTable } from "./session-table.ts";

const eui = fc.stringMatching(/^[0-9a-f]{16}$/);

test("an EUI's halves give the EUI again, in either case", () => {
  fc.assert(
    fc.property(eui, (text) => {
      expect(lowerEui(euiHigh(text), euiLow(text))).toBe(text);
      expect(lowerEui(euiHigh(text.toUpperCase()), euiLow(text.toUpperCase()))).toBe(text);
    }),
  );
});

test("the index answers as a Map does, through growth, deletion and reuse", () => {
  // A small space, so that the same EUIs are set and deleted again and again.
  const step = fc.tuple(fc.constantFrom("set", "delete"), fc.integer({ min: 0, max: 40 }), fc.nat(1000));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const index = new EuiIndex(8);
      const map = new Map<number, number>();
      for (const [what, n, value] of steps) {
        if (what === "set") {
          index.set(n * 7, n, value);
          map.set(n, value);
        } else {
          index.delete(n * 7, n);
          map.delete(n);
        }
      }
      for (let n = 0; n <= 40; n++) expect(index.get(n * 7, n)).toBe(map.get(n) ?? -1);
      expect(index.size).toBe(map.size);
    }),
  );
});

test("consecutive EUIs are all found", () => {
  const index = new EuiIndex();
  for (let n = 0; n < 50_000; n++) index.set(0x0011_2233, n, n);
  for (let n = 0; n < 50_000; n += 997) expect(index.get(0x0011_2233, n)).toBe(n);
  expect(index.get(0x0011_2233, 50_000)).toBe(-1);
});

test("a device is found by its DevEUI with all that was said of it, and not after it was removed", () => {
  const devices = new DeviceTable();
  const made = Array.from({ length: 3_000 }, (_, n) => ({
    device: n + 1,
    devEui: `0011223300${n.toString(16).padStart(6, "0")}`,
    joinEui: n % 2 === 0 ? null : "70b3d57ed0000001",
    application: n % 5,
    deviceId: `device-${n}-${"x".repeat(n % 20)}`,
  }));
  for (const device of made) devices.add(device);
  for (const { device, devEui, joinEui, application, deviceId } of made) {
    expect(devices.find(devEui)).toBe(device);
    expect(devices.deviceId(device)).toBe(deviceId);
    expect(devices.devEui(device)).toBe(devEui);
    expect(devices.application(device)).toBe(application);
    expect(devices.hasJoinEui(device)).toBe(joinEui !== null);
    expect([devices.current(device), devices.pending(device)]).toEqual([none, none]);
  }
  devices.remove(7);
  expect(devices.find("0011223300000006")).toBe(none);
  expect(devices.has(7)).toBe(false);
});

test("a session's key is unwrapped once, at its first use; a removed one is wiped and its slot reused", () => {
  let unwrapped = 0;
  const key = new Uint8Array(16).fill(7);
  const sessions = new SessionTable((wrapped) => {
    unwrapped++;
    return wrapped[0] === 1 ? key.slice() : undefined;
  });
  const good = sessions.add(1, "a", new Uint8Array(24).fill(1));
  const bad = sessions.add(2, "b", new Uint8Array(24).fill(2));
  expect(unwrapped).toBe(0);
  const schedule = sessions.schedule(good) as KeySchedule;
  expect(schedule.cmac(new Uint8Array(5))).toEqual(new KeySchedule(key).cmac(new Uint8Array(5)));
  expect(sessions.schedule(good)).toBe(schedule);
  expect(unwrapped).toBe(1);
  expect(sessions.schedule(bad)).toBeUndefined();
  expect(sessions.is(good, "a")).toBe(true);
  expect(sessions.is(good, "b")).toBe(false);
  sessions.remove(good);
  expect(sessions.schedule(good)).toBeUndefined();
  expect(sessions.add(3, "c", new Uint8Array(24).fill(1))).toBe(good);
  expect(sessions.device(good)).toBe(3);
  expect(sessions.size).toBe(2);
});
