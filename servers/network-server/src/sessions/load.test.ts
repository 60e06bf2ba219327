import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "@trefoil/store";
import type { MacVersion } from "@trefoil/wire";
import { expect, test } from "vitest";
import { Outbox } from "../outbox/outbox.ts";
import { store as definition } from "../schema.ts";
import { Batch } from "../uplink/batch.ts";
import { loadSessions } from "./load.ts";
import { addSession, type SessionToStore, storeSession } from "./rows.ts";
import { Sessions } from "./sessions.ts";

/** Every octet value occurs in the keys, also those that are no UTF-8. */
const octets = (n: number, from: number) => Uint8Array.from({ length: n }, (_, i) => (from * 7 + i * 11) & 0xff);

function make(n: number): SessionToStore {
  const macVersion: MacVersion = n % 3 === 0 ? "1.1" : "1.0.3";
  const devEui = octets(8, n);
  new DataView(devEui.buffer).setUint32(0, n);
  return {
    sessionId: n * 2, // numbers are missing where sessions ended
    deviceId: n,
    devAddr: 0xfe000000 + (n % 5),
    devEui,
    keys: octets(macVersion === "1.1" ? 48 : 16, n),
    sessionKeyId: n % 2 === 0 ? n.toString(16).padStart(32, "0") : `a "quoted" id ${n}`,
    macVersion,
    region: n % 7 === 0 ? "US915" : "EU868",
    channels: n % 4 === 0 ? "[null,null,null,867100000]" : "[]",
    isPending: n % 5 === 0,
    isJoined: n % 2 === 0,
    fCntUp: n === 1 ? -1 : 2 ** 32 - n,
    nFCntDown: n,
    aFCntDown: n * 3,
    rxDelay: n % 16,
    rx1DrOffset: n % 8,
    rx2DataRate: n % 12,
    rx2Hz: 869_525_000 + n,
  };
}

test("what is loaded is what was stored: every column of every session, over several groups", async () => {
  const dir = mkdtempSync(join(tmpdir(), "load-"));
  const store = await openStore({ ...definition, file: join(dir, "store.sqlite"), role: "network-server" });
  const kept = new Sessions();
  const batch = new Batch();
  for (let n = 1; n <= 2_345; n++) {
    const session = make(n);
    batch.add("insertDevice", n, session.devEui, null, session.macVersion, session.region, "as");
    storeSession(batch, session);
    addSession(kept, session);
  }
  await batch.commit(new Outbox(store, () => {}));
  const { sessions, highest } = loadSessions(store);
  expect(highest).toBe(4_690);
  expect(sessions.table.size).toBe(2_345);
  for (const name of Object.keys(kept.table.columns) as (keyof typeof kept.table.columns)[]) {
    if (name === "channelSet") continue;
    const width = kept.table.columns[name].length / kept.table.columns.flags.length;
    expect(Array.from(sessions.table.columns[name].subarray(0, 2_345 * width)), name).toEqual(
      Array.from(kept.table.columns[name].subarray(0, 2_345 * width)),
    );
  }
  for (let slot = 0; slot < 2_345; slot++) {
    expect(sessions.table.sessionKeyId(slot)).toBe(kept.table.sessionKeyId(slot));
    expect(sessions.channels(slot)).toEqual(kept.channels(slot));
  }
  await store.close();
  rmSync(dir, { recursive: true });
});
