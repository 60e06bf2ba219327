import { type InProcess, startInProcess } from "@trefoil/service/testing";
import type { NetworkDevice, Results } from "@trefoil/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import { networkServer } from "../src/index.ts";
import { hex } from "./device.ts";
import { abpDevice, abpRow, makeWorld, reception, until, type World } from "./world.ts";

let world: World;
let server: InProcess;
beforeAll(async () => {
  world = await makeWorld();
  server = await startInProcess(networkServer, world.boot);
  await world.connectGateway(server.listeners.link as { host: string; port: number });
});
afterAll(async () => {
  await server.stop();
  await world.end();
});

const post = (rows: unknown) => world.admin<Results>("POST", "/devices", rows);
const eui = (n: number) => n.toString(16).padStart(16, "0");
const otaa = (n: number, more: Partial<NetworkDevice> = {}): NetworkDevice => ({
  devEui: eui(n),
  joinEui: "70b3d57ed0000001",
  macVersion: "1.0.3",
  region: "EU868",
  asId: "trefoil-as",
  ...more,
});

test("GET /sealing-key gives the key that ABP session keys are sealed to", async () => {
  expect(await world.admin("GET", "/sealing-key")).toMatchObject({
    publicKey: expect.any(String),
    fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

test("one bad row does not stop the rest, and each answer stands in the place of its row", async () => {
  const abp = abpRow(abpDevice("1.0.4", eui(0x20), "00000020"));
  const eleven = abpRow(abpDevice("1.1", eui(0x21), "00000021"));
  const rows: [unknown, string | true][] = [
    [otaa(1), true],
    [otaa(1), "device/exists"],
    [otaa(2, { region: "MARS" }), "device/region"],
    [otaa(3, { macVersion: "2.0" as never }), "device/mac-version"],
    [otaa(4, { devEui: "0000" }), "device/dev-eui"],
    [{ ...otaa(5), joinEui: undefined }, "device/join-eui"],
    [null, "device/malformed"],
    [abp, true],
    [{ ...abp, devEui: eui(0x22) }, "device/session-key-id"],
    [{ ...abp, devEui: eui(0x23), abp: { ...abp.abp, sessionKeyId: "x" } }, "device/keys"], // sealed for another DevEUI
    [{ ...eleven, macVersion: "1.0.4" }, "device/keys"],
    [
      { ...eleven, abp: { ...eleven.abp, sealed: { ...eleven.abp?.sealed, to: "00".repeat(32) } } },
      "sealed/not-for-this-receiver",
    ],
    [{ ...eleven, abp: { ...eleven.abp, devAddr: "zz" } }, "device/dev-addr"],
    [{ ...eleven, abp: { ...eleven.abp, fCntUp: -1 } }, "device/counter"],
    [eleven, true],
  ];
  const { results } = await post(rows.map(([row]) => row));
  expect(results.map((result) => result.ok || result.code)).toEqual(rows.map(([, expected]) => expected));
  expect(await post({})).toMatchObject({ error: { code: "admin/invalid-body" } });
});

test("a device shows its sessions and never a key", async () => {
  const device = await world.personalise("1.0.4", eui(0x30), "00000030", { fCntUp: 4, fCntDown: 6 });
  const shown = await world.admin<object>("GET", `/devices/${device.devEui}`);
  expect(shown).toEqual({
    devEui: eui(0x30),
    macVersion: "1.0.4",
    region: "EU868",
    asId: "trefoil-as",
    sessions: [
      {
        devAddr: "00000030",
        sessionKeyId: `${eui(0x30)}${eui(0x30)}`,
        macVersion: "1.0.4",
        region: "EU868",
        isPending: false,
        activation: "ABP",
        fCntUp: 4,
        nextFCntDown: { fCntDown: 7 },
        rxDelay: 1,
        rx1DrOffset: 0,
        rx2: { dataRate: 0, hz: 869_525_000 },
      },
    ],
  });
  expect(JSON.stringify(shown)).not.toContain(Buffer.from(device.keys?.fNwkSIntKey ?? "").toString("hex"));
  expect(await world.admin("GET", `/devices/${eui(0x31)}`)).toMatchObject({ error: { code: "device/unknown" } });
});

test("devices are listed in pages, in the order of their DevEUIs", async () => {
  await post(Array.from({ length: 25 }, (_, n) => otaa(0x5000 + n)));
  const seen: string[] = [];
  for (let after = eui(0x4fff); ; ) {
    const page = await world.admin<{ devEui: string }[]>("GET", `/devices?after=${after}&limit=10`);
    seen.push(...page.map(({ devEui }) => devEui));
    if (page.length < 10) break;
    after = seen.at(-1) as string;
  }
  expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => eui(0x5000 + n)));
  expect(await world.admin("GET", "/devices?limit=0")).toMatchObject({ error: { code: "admin/limit" } });
});

test("a deleted device is heard no more, and may be registered again", async () => {
  const device = await world.personalise("1.0.4", eui(0x40), "00000040");
  await world.hear(reception(device.uplink({ payload: hex("01") })));
  await until(() => world.application.uplinks().some(({ devEui }) => devEui === device.devEui));
  expect(await world.admin("DELETE", `/devices/${device.devEui}`)).toEqual({});
  await world.hear(reception(device.uplink({ payload: hex("02") })));
  expect(await world.admin("DELETE", `/devices/${device.devEui}`)).toMatchObject({ error: { code: "device/unknown" } });
  expect(world.application.uplinks().filter(({ devEui }) => devEui === device.devEui)).toHaveLength(1);
  await world.personalise("1.0.4", eui(0x40), "00000041");
});

type Shown = { readonly sessions: readonly { readonly nextFCntDown: object }[] };
const nextDown = async (devEui: string) =>
  (await world.admin<Shown>("GET", `/devices/${devEui}`)).sessions[0]?.nextFCntDown;

test("1.1: an import names both downlink counters, and each goes on by itself", async () => {
  await world.personalise("1.1", eui(0x50), "00000050", { fCntDown: 6, aFCntDown: 40 });
  expect(await nextDown(eui(0x50))).toEqual({ nFCntDown: 7, aFCntDown: 41 });
  await world.personalise("1.1", eui(0x51), "00000051", { fCntDown: 6 });
  expect(await nextDown(eui(0x51))).toEqual({ nFCntDown: 7, aFCntDown: 7 });
  const { results } = await post([abpRow(abpDevice("1.1", eui(0x52), "00000052"), { aFCntDown: -1 })]);
  expect(results).toMatchObject([{ ok: false, code: "device/counter" }]);
});

test.each(["1.0.4", "1.1"] as const)(
  "%s: a personalised device that is deleted and made again never uses a downlink counter twice, whatever the row says",
  async (version) => {
    const n = version === "1.1" ? 0x61 : 0x60;
    const address = n.toString(16).padStart(8, "0");
    const device = await world.personalise(version, eui(n), address);
    const heard = world.transmits.length;
    await world.hear(reception(device.uplink({ payload: hex("01"), confirmed: true })));
    await until(() => world.transmits.length > heard);
    const reserved = await world.application.ask<{ fCntDown: number }>("downlink.reserve", {
      devEui: device.devEui,
      queueId: "q",
      fPort: 1,
      size: 1,
      confirmed: false,
    });
    const next =
      version === "1.1" ? { nFCntDown: 1, aFCntDown: reserved.fCntDown + 1 } : { fCntDown: reserved.fCntDown + 1 };
    expect(await nextDown(device.devEui)).toEqual(next);
    for (const [again, more] of [
      [address, {}],
      [address, { fCntDown: 0 }],
      ["000000ff", {}],
    ] as const) {
      expect(await world.admin("DELETE", `/devices/${device.devEui}`)).toEqual({});
      await world.personalise(version, device.devEui, again, more);
      expect(await nextDown(device.devEui)).toEqual(next);
    }
  },
);

test("two thousand personalised devices are registered in one call and heard", async () => {
  const devices = Array.from({ length: 2_000 }, (_, n) =>
    abpDevice("1.0.4", eui(0x10000 + n), (0x10000 + n).toString(16).padStart(8, "0")),
  );
  const { results } = await post(devices.map((device) => abpRow(device)));
  expect(results.every(({ ok }) => ok)).toBe(true);
  await world.hear(...devices.slice(-50).map((device) => reception(device.uplink({ payload: hex("01") }))));
  await until(() =>
    devices.slice(-50).every(({ devEui }) => world.application.uplinks().some((event) => event.devEui === devEui)),
  );
});
