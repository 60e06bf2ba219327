import { wrapKey } from "@trefoil/custody";
import { KeySchedule } from "@trefoil/lorawan";
import fc from "fast-check";
import { expect, test } from "vitest";
import { DeviceTable, none } from "./device-table.ts";
import { euiHigh, euiLow, lowerEui } from "./eui.ts";
import { EuiIndex } from "./eui-index.ts";
import { SessionTable } from "./session-table.ts";
import { unwrapMany, wrappedOctets } from "./unwrap-many.ts";

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

test("a session's key is ready for use; a removed one is wiped and its slot reused", () => {
  const key = new Uint8Array(16).fill(7);
  const sessions = new SessionTable();
  const good = sessions.add(1, "a", key);
  const bad = sessions.add(2, "b", undefined);
  const schedule = sessions.schedule(good) as KeySchedule;
  expect(schedule.cmac(new Uint8Array(5))).toEqual(new KeySchedule(key).cmac(new Uint8Array(5)));
  expect(sessions.schedule(good)).toBe(schedule);
  expect(sessions.schedule(bad)).toBeUndefined();
  expect(sessions.is(good, "a")).toBe(true);
  expect(sessions.is(good, "b")).toBe(false);
  sessions.remove(good);
  expect(sessions.schedule(good)).toBeUndefined();
  expect(sessions.add(3, "c", key)).toBe(good);
  expect(sessions.device(good)).toBe(3);
  expect(sessions.size).toBe(2);
});

test("many keys unwrapped at once are those that RFC 3394 unwraps one by one; a changed one is refused alone", () => {
  const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const kek = fc.constantFrom(16, 24, 32).chain(octets);
  fc.assert(
    fc.property(
      kek,
      fc.array(octets(16), { maxLength: 9 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (kek, keys, at, change) => {
        const wrapped = Buffer.concat(keys.map((key) => wrapKey(kek, key)));
        const broken = at % Math.max(1, wrapped.length);
        if (keys.length > 0) wrapped[broken] = (wrapped[broken] as number) ^ change;
        const unwrapped = unwrapMany(kek, wrapped);
        for (const [n, key] of keys.entries())
          expect(unwrapped.key(n)).toEqual(n === Math.floor(broken / wrappedOctets) ? undefined : key);
      },
    ),
  );
});

test("RFC 3394 §4.3: 128 bits of key data wrapped with a 256-bit KEK", () => {
  const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
  const kek = hex("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F");
  const { key } = unwrapMany(kek, hex("64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7"));
  expect(key(0)).toEqual(hex("00112233445566778899AABBCCDDEEFF"));
});
