import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault, openStore, type Store } from "@trefoil/store";
import type { NetworkEvent, Reception, Transmit } from "@trefoil/wire";
import fc from "fast-check";
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hex, type TestDevice, type Version } from "../../test/device.ts";
import { abpDevice, reception } from "../../test/world.ts";
import { OpenDownlinks } from "../downlink/open-downlinks.ts";
import { makeMetrics } from "../metrics.ts";
import { Outbox } from "../outbox/outbox.ts";
import { store as definition, type HotStatement } from "../schema.ts";
import { rereadCounters } from "../sessions/load.ts";
import { noChannels } from "../sessions/regions.ts";
import { addSession, storeSession } from "../sessions/rows.ts";
import { Sessions } from "../sessions/sessions.ts";
import type { State } from "../state.ts";
import { Batch } from "./batch.ts";
import { Gateways } from "./gateways.ts";
import { Intake, UplinksRequest } from "./intake.ts";
import { processFrames } from "./process.ts";

let dir: string;
let store: Store<HotStatement>;
let nextId = 0;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "process-"));
  store = await openStore({ ...definition, file: join(dir, "store.sqlite"), role: "network-server" });
});
afterAll(async () => {
  await store.close();
  rmSync(dir, { recursive: true });
});

/** A server without links, on a real store, with devices of its own; `fail` makes the next commits fail. */
async function make(...versions: Version[]) {
  const events: NetworkEvent[] = [];
  const transmits: Transmit[] = [];
  let failing = 0;
  const outbox = new Outbox(store, (batch) => events.push(...batch.events));
  const sessions = new Sessions();
  const state: State = {
    sessions,
    downlinks: new OpenDownlinks(),
    gateways: new Gateways(),
    metrics: makeMetrics(new Registry()),
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    now: () => 1_700_000_000_000,
    isOurs: () => true,
    transmit: async (transmit) => {
      transmits.push(transmit);
      return { result: "transmitted", window: 0, confirmedByGateway: true };
    },
    commit: (batch) => batch.commit(failing-- > 0 ? full : outbox),
    rereadCounters: (sessionIds) => rereadCounters(store, sessions, sessionIds),
    commitSurely: (batch) => batch.commit(outbox),
  };
  const devices: TestDevice[] = [];
  const batch = new Batch();
  for (const macVersion of versions) {
    const id = ++nextId;
    const device = abpDevice(macVersion, id.toString(16).padStart(16, "0"), "01020304");
    const { fNwkSIntKey, sNwkSIntKey, nwkSEncKey } = device.keys as NonNullable<TestDevice["keys"]>;
    const keys = macVersion === "1.1" ? Uint8Array.from([...fNwkSIntKey, ...sNwkSIntKey, ...nwkSEncKey]) : fNwkSIntKey;
    const devEui = hex(device.devEui);
    const session = {
      sessionId: id,
      deviceId: id,
      devAddr: 0x01020304,
      devEui,
      keys,
      sessionKeyId: `s${id}`,
      macVersion,
      region: "EU868",
      channels: noChannels,
      isPending: false,
      isJoined: false,
      fCntUp: -1,
      nFCntDown: 0,
      aFCntDown: 0,
      rxDelay: 1,
      rx1DrOffset: 0,
      rx2DataRate: 0,
      rx2Hz: 869_525_000,
    };
    storeSession(batch, session);
    addSession(sessions, session);
    devices.push(device);
  }
  await batch.commit(outbox);
  const intake = new Intake(
    { windowMs: 1, lateMs: 0, tickMs: 1 },
    (frames) => processFrames(frames, state, () => {}),
    state.metrics,
  );
  const hear = (...receptions: Reception[]) => intake.take({ receptions });
  const counterOf = (n: number) =>
    store
      .read<{ f_cnt_up: number; n_f_cnt_down: number }>("SELECT * FROM counter WHERE session_id = ?")
      .get(nextId - versions.length + 1 + n);
  return {
    state,
    devices,
    events,
    transmits,
    hear,
    counterOf,
    intake,
    failNext: (commits: number) => {
      failing = commits;
    },
  };
}
const full = { commit: () => Promise.reject(new Fault("store/full", "the disk is full")) } as unknown as Outbox;
const uplinks = (events: readonly NetworkEvent[]) => events.flatMap((event) => (event.is === "uplink" ? [event] : []));

test("when the store fails, nothing is acknowledged, answered or claimed, and the same frame counts when it comes again (DESIGN §4)", async () => {
  const { devices, events, transmits, hear, counterOf, failNext, state } = await make("1.0.4");
  const [device] = devices as [TestDevice];
  const phy = device.uplink({ payload: hex("01"), confirmed: true });
  failNext(1);
  await expect(hear(reception(phy))).rejects.toMatchObject({ code: "store/full" });
  expect([events, transmits]).toEqual([[], []]);
  expect(counterOf(0)).toMatchObject({ f_cnt_up: -1, n_f_cnt_down: 0 });
  expect(state.metrics.count("uplink/not-stored")).toBe(1);

  await hear(reception(phy));
  expect(uplinks(events)).toMatchObject([{ fCntUp: 0 }]);
  // The counter that was planned for the first answer is skipped, never used twice.
  expect(device.hear(Buffer.from(transmits[0]?.phyPayload ?? "", "base64"), 1)?.ack).toBe(true);
  expect(counterOf(0)).toMatchObject({ f_cnt_up: 0, n_f_cnt_down: 2 });
});

test("a counter that the disk knows as claimed loses alone: compare-and-set, and its neighbours are decided once more", async () => {
  const { devices, events, hear, counterOf, state } = await make("1.0.4", "1.0.4");
  const [one, two] = devices as [TestDevice, TestDevice];
  await store.commit([{ statement: "claim", rows: [[nextId - 1, 7, 3, 0]] }]);
  await hear(reception(one.uplink({ fCnt: 7 })), reception(two.uplink({ fCnt: 1 })));
  expect(uplinks(events)).toMatchObject([{ devEui: two.devEui, fCntUp: 1 }]);
  expect([counterOf(0)?.f_cnt_up, counterOf(1)?.f_cnt_up]).toEqual([7, 1]);
  expect(state.sessions.table.columns.nFCntDown[0]).toBe(3);
});

test("the claim itself: no counter is claimed twice or backwards, and downlink counters never fall", async () => {
  await make("1.0.4");
  const claim = (...row: number[]) => store.commit([{ statement: "claim", rows: [[nextId, ...row]] }]);
  await claim(5, 2, 0);
  await expect(claim(5, 9, 9)).rejects.toMatchObject({ code: "store/constraint" });
  await expect(claim(4, 9, 9)).rejects.toMatchObject({ code: "store/constraint" });
  await claim(6, 1, 1);
  expect({ ...store.read("SELECT * FROM counter WHERE session_id = ?").get(nextId) }).toMatchObject({
    f_cnt_up: 6,
    n_f_cnt_down: 2,
    a_f_cnt_down: 1,
  });
});

test("MaxFCntGap: a 1.0.3 device that jumps 16,385 frames is refused, one of 1.0.4 is not (LoRaWAN 1.0.3 §4.3.1.5)", async () => {
  const { devices, events, hear, state } = await make("1.0.4", "1.0.4");
  const [old, young] = devices as [TestDevice, TestDevice];
  const { table } = state.sessions;
  table.columns.macVersion[0] = 3; // 1.0.3: the frames of both versions are alike
  await hear(reception(old.uplink({ fCnt: 0 })), reception(young.uplink({ fCnt: 0 })));
  await hear(reception(old.uplink({ fCnt: 16_385 })), reception(young.uplink({ fCnt: 16_385 })));
  expect(uplinks(events).map(({ devEui, fCntUp }) => [devEui, fCntUp])).toEqual([
    [old.devEui, 0],
    [young.devEui, 0],
    [young.devEui, 16_385],
  ]);
  expect(state.metrics.count("uplink/counter-gap")).toBe(1);
});

test("a confirmed frame that is repeated for ever is answered eight times and no more", async () => {
  const { devices, events, transmits, hear, state } = await make("1.1");
  const phy = (devices[0] as TestDevice).uplink({ confirmed: true });
  for (let n = 0; n < 12; n++) await hear(reception(phy));
  expect([uplinks(events).length, transmits.length]).toEqual([1, 9]);
  expect(state.metrics.count("uplink/repeated-too-often")).toBe(3);
  expect(new Set(transmits.map(({ phyPayload }) => phyPayload)).size).toBe(9);
});

test.each([
  [9_900, 1, "uplink/repeated"],
  [10_100, 0, "uplink/replay"],
] as const)(
  "the last confirmed frame, heard again after %i ms, is answered %i times (TS001-1.0.4 §4.3.1.2)",
  async (age, answers, outcome) => {
    const { devices, transmits, state } = await make("1.0.4");
    const phy = (devices[0] as TestDevice).uplink({ payload: hex("01"), confirmed: true });
    const heardAt = (firstAt: number) => {
      const heard = [{ reception: reception(phy), from: new UplinksRequest(1) }];
      const phyPayload = Buffer.from(phy).toString("base64");
      return processFrames([{ phyPayload, firstAt, heard, closed: true }], state, () => {});
    };
    const now = performance.now();
    await heardAt(now - age);
    const before = transmits.length;
    await heardAt(now);
    expect(transmits.length - before).toBe(answers);
    expect(state.metrics.count(outcome)).toBe(1);
  },
);

/** What an attacker or a bad link can do to frames. */
const deed = fc.oneof(
  fc.record({ do: fc.constant("send" as const), device: fc.nat(1), confirmed: fc.boolean(), skip: fc.nat(2) }),
  fc.record({ do: fc.constant("replay" as const), frame: fc.nat(100) }),
  fc.record({ do: fc.constant("flip" as const), frame: fc.nat(100), bit: fc.nat(400) }),
  fc.record({ do: fc.constant("fail" as const) }),
);
test("no sequence of sent, repeated, mutated and lost frames makes a counter go back, delivers twice, or uses a downlink counter twice", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(deed, { maxLength: 5 }), { maxLength: 8 }), async (rounds) => {
      const { devices, events, transmits, hear, counterOf, failNext } = await make("1.0.4", "1.1");
      const air: Uint8Array[] = [];
      const highest = [-1, -1];
      for (const round of rounds) {
        const heard: Uint8Array[] = [];
        for (const what of round) {
          if (what.do === "send") {
            const device = devices[what.device] as TestDevice;
            device.fCntUp += what.skip;
            const phy = device.uplink({ payload: hex("010203"), confirmed: what.confirmed });
            air.push(phy);
            heard.push(phy);
          } else if (what.do === "fail") failNext(1);
          else if (air.length > 0) {
            const phy = (air[what.frame % air.length] as Uint8Array).slice();
            if (what.do === "flip")
              phy[(what.bit >> 3) % phy.length] = (phy[(what.bit >> 3) % phy.length] ?? 0) ^ (1 << (what.bit & 7));
            heard.push(phy);
          }
        }
        await hear(...heard.map((phy) => reception(phy))).catch(() => undefined);
        for (const n of [0, 1]) {
          const now = counterOf(n)?.f_cnt_up as number;
          expect(now).toBeGreaterThanOrEqual(highest[n] as number);
          highest[n] = now;
        }
      }
      const ids = uplinks(events).map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      for (const event of uplinks(events)) expect(Buffer.from(event.frmPayload, "base64")).toHaveLength(3);
      expect(new Set(transmits.map(({ phyPayload }) => phyPayload)).size).toBe(transmits.length);
    }),
    { numRuns: 60 },
  );
});
