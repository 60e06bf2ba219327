import fc from "fast-check";
import { expect, test } from "vitest";
import { type NewSession, SessionTable } from "./session-table.ts";

const eui = (n: number) => Uint8Array.of(0, 0, 0, 0, 0, 0, n >> 8, n);
export const session = (n: number, more: Partial<NewSession> = {}): NewSession => ({
  sessionId: n,
  deviceId: n,
  devAddr: n,
  devEui: eui(n),
  keys: new Uint8Array(16).fill(n),
  sessionKeyId: n.toString(16).padStart(32, "0"),
  macVersion: "1.0.4",
  region: 0,
  channelSet: 0,
  isPending: false,
  isJoined: true,
  fCntUp: -1,
  nFCntDown: 0,
  aFCntDown: 0,
  confFCntDown: 0,
  rxDelay: 1,
  rx1DrOffset: 0,
  rx2DataRate: 0,
  rx2Hz: 869_525_000,
  ...more,
});
const withDevAddr = (table: SessionTable, devAddr: number) => {
  const slots: number[] = [];
  table.withDevAddr(devAddr, slots);
  return slots.map((slot) => table.columns.sessionId[slot] as number).toSorted((a, b) => a - b);
};

test("several sessions have one DevAddr, several DevAddrs one chain; each is found, before and after the table grows", () => {
  const table = new SessionTable(2);
  for (let n = 1; n <= 300; n++) table.add(session(n, { devAddr: n % 7, devEui: eui(n % 11) }));
  for (let addr = 0; addr < 7; addr++)
    expect(withDevAddr(table, addr)).toEqual(
      Array.from({ length: 300 }, (_, i) => i + 1).filter((n) => n % 7 === addr),
    );
  for (let d = 0; d < 11; d++)
    expect(table.ofDevice(eui(d)).map((slot) => (table.columns.sessionId[slot] as number) % 11)).toEqual(
      Array.from({ length: Math.ceil((300 - (d || 11) + 1) / 11) }, () => d),
    );
});

test("identifiers come back as they were given, also a SessionKeyID that is no hexadecimal", () => {
  const table = new SessionTable();
  const slot = table.add(session(0x1234, { sessionKeyId: "ttn:any text" }));
  const other = table.add(session(2));
  expect(table.sessionKeyId(slot)).toBe("ttn:any text");
  expect(table.sessionKeyId(other)).toBe("00000000000000000000000000000002");
  expect(table.devEui(slot)).toBe("0000000000001234");
  expect(table.slotOf(2)).toBe(other);
  expect(table.slotOf(3)).toBeUndefined();
});

test("a removed session's keys are wiped, its slot is used again, and who kept the slot can tell", () => {
  const table = new SessionTable();
  const slot = table.add(session(1));
  const key = table.key(slot, 0);
  expect(key).toEqual(new Uint8Array(16).fill(1));
  table.remove(slot);
  expect(key).toEqual(new Uint8Array(16));
  expect(table.isStill(slot, 1)).toBe(false);
  expect(table.add(session(2))).toBe(slot);
  expect([table.isStill(slot, 1), table.isStill(slot, 2)]).toEqual([false, true]);
});

test("any order of adding and removing leaves exactly the sessions that were not removed", () => {
  const step = fc.record({
    n: fc.integer({ min: 1, max: 30 }),
    devAddr: fc.integer({ min: 0, max: 3 }),
    add: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const table = new SessionTable(2);
      const there = new Map<number, { slot: number; devAddr: number }>();
      for (const { n, devAddr, add } of steps) {
        const known = there.get(n);
        if (add && !known) there.set(n, { slot: table.add(session(n, { devAddr })), devAddr });
        else if (!add && known) {
          table.remove(known.slot);
          there.delete(n);
        }
      }
      expect(table.size).toBe(there.size);
      for (let addr = 0; addr < 4; addr++)
        expect(withDevAddr(table, addr)).toEqual(
          [...there].flatMap(([n, { devAddr }]) => (devAddr === addr ? [n] : [])).toSorted((a, b) => a - b),
        );
      for (const [n, { slot }] of there) expect(table.ofDevice(eui(n))).toEqual([slot]);
    }),
  );
});
