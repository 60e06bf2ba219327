import { type InProcess, startInProcess } from "@trefoil/service/testing";
import type { NetworkEvent } from "@trefoil/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import { networkServer } from "../src/index.ts";
import { hex, type TestDevice } from "./device.ts";
import { makeWorld, reception, until, type World } from "./world.ts";

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

const uplinksOf = (devEui: string) =>
  world.application.uplinks().filter((event) => event.devEui === devEui) as Extract<NetworkEvent, { is: "uplink" }>[];
const outcome = async (slug: string) => {
  const { port, host } = server.listeners.http as { host: string; port: number };
  const text = await (await fetch(`http://${host}:${port}/metrics`)).text();
  return Number(new RegExp(`trefoil_uplink_frames_total\\{outcome="${slug}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
};

test("an uplink is answered once its counter and event are stored, and delivered with its metadata", async () => {
  const device = await world.personalise("1.0.4", "0000000000000001", "00000001");
  await world.link().request("gateways", {
    gateways: [
      {
        gateway: "0000000000000a01",
        gatewayId: "roof",
        connected: true,
        trust: "none",
        location: { latitude: 1, longitude: 2 },
      },
    ],
  });
  await world.hear(reception(device.uplink({ payload: hex("c0ffee"), fPort: 7 }), { snr: 4.5, rssi: -99 }));
  const uplink = await until(() => uplinksOf(device.devEui)[0]);
  expect(uplink).toMatchObject({
    id: "u0.00000000000000010000000000000001",
    devAddr: "00000001",
    fCntUp: 0,
    fPort: 7,
    confirmed: false,
    hz: 868_100_000,
    dataRate: "SF7BW125",
    airtimeMs: 51.456,
    rxMetadata: [
      { gateway: "0000000000000a01", gatewayId: "roof", rssi: -99, snr: 4.5, location: { latitude: 1, longitude: 2 } },
    ],
  });
  expect(Buffer.from(uplink.frmPayload, "base64")).toHaveLength(3);
  expect(uplink.frmPayload).not.toBe(Buffer.from("c0ffee", "hex").toString("base64"));
});

test("one frame heard by several gateways is one uplink, with all hearings, the best first", async () => {
  const device = await world.personalise("1.0.4", "0000000000000002", "00000002");
  const phy = device.uplink({ payload: hex("01") });
  await Promise.all([
    world.hear(reception(phy, { gateway: "0000000000000a01", snr: -3 })),
    world.hear(
      reception(phy, { gateway: "0000000000000a02", snr: 8 }),
      reception(phy, { gateway: "0000000000000a03", snr: 2 }),
    ),
  ]);
  // After the window: a duplicate still, whatever it carries.
  await world.hear(reception(phy, { gateway: "0000000000000a04" }));
  await world.hear(reception(device.uplink({ payload: hex("02") })));
  await until(() => uplinksOf(device.devEui).length >= 2);
  const [first, ...more] = uplinksOf(device.devEui);
  expect(more).toHaveLength(1);
  expect(first?.rxMetadata.map(({ gateway }) => gateway)).toEqual([
    "0000000000000a02",
    "0000000000000a03",
    "0000000000000a01",
  ]);
});

test("a confirmed uplink is acknowledged in RX1 or RX2 (TS001-1.0.4 §4.3.1.2), a repeated one again with the next counter, delivered once", async () => {
  const device = await world.personalise("1.0.4", "0000000000000003", "00000003", { fCntDown: 41 });
  const phy = device.uplink({ payload: hex("01"), confirmed: true });
  const heard = reception(phy);
  const before = world.transmits.length;
  await world.hear(heard);
  const first = await until(() => world.transmits[before]);
  expect(first).toMatchObject({
    gateway: heard.gateway,
    concentratorTime: heard.concentratorTime,
    priority: "class-a",
    windows: [
      { delayUs: 1_000_000, hz: 868_100_000, dataRate: "SF7BW125" },
      { delayUs: 2_000_000, hz: 869_525_000, dataRate: "SF12BW125" },
    ],
  });
  expect(device.hear(Buffer.from(first.phyPayload, "base64"), 42)).toMatchObject({
    type: "UnconfirmedDataDown",
    ack: true,
    fPort: undefined,
  });

  // A device repeats it after RX2, when the copies of the first one are forgotten.
  await new Promise((resolve) => setTimeout(resolve, 1_600));
  await world.hear(reception(phy));
  const second = await until(() => world.transmits[before + 1]);
  expect(device.hear(Buffer.from(second.phyPayload, "base64"), 43)).toMatchObject({ ack: true });
  expect(uplinksOf(device.devEui)).toHaveLength(1);
  expect(await outcome("uplink/repeated")).toBeGreaterThan(0);
});

test("a replayed frame is refused and counted, a forged one too (TS001-1.0.4 §4.3.1.5)", async () => {
  const device = await world.personalise("1.0.4", "0000000000000004", "00000004");
  const old = device.uplink({ payload: hex("01") });
  await world.hear(reception(old));
  await world.hear(reception(device.uplink({ payload: hex("02") })));
  const [replays, forged] = [await outcome("uplink/replay"), await outcome("uplink/mic")];
  await new Promise((resolve) => setTimeout(resolve, 1_600));
  const wrong = device.uplink({ payload: hex("03") });
  wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 1;
  await world.hear(reception(old), reception(wrong));
  expect(await outcome("uplink/replay")).toBe(replays + 1);
  expect(await outcome("uplink/mic")).toBe(forged + 1);
  expect(uplinksOf(device.devEui)).toHaveLength(2);
});

test("the 32-bit counter goes on over the 16 bits that are sent, and MaxFCntGap does not hold for 1.0.4", async () => {
  const device = await world.personalise("1.0.4", "0000000000000005", "00000005", { fCntUp: 65_000 });
  await world.hear(reception(device.uplink({ payload: hex("01"), fCnt: 65_536 + 3 })));
  await world.hear(reception(device.uplink({ payload: hex("01"), fCnt: 65_536 + 40_000 })));
  await until(() => uplinksOf(device.devEui).length === 2);
  expect(uplinksOf(device.devEui).map(({ fCntUp }) => fCntUp)).toEqual([65_539, 105_536]);
});

test("several sessions on one DevAddr: the MIC tells whose frame it is (TS001-1.0.4 §6.1.1)", async () => {
  const devices: TestDevice[] = [];
  for (const n of [1, 2, 3])
    devices.push(await world.personalise(n === 2 ? "1.1" : "1.0.4", `000000000000010${n}`, "00000100"));
  await Promise.all(devices.map((device) => world.hear(reception(device.uplink({ payload: hex("01") })))));
  await until(() => devices.every(({ devEui }) => uplinksOf(devEui).length === 1));
});

test("two copies of one frame as different receptions in one batch cannot both win", async () => {
  const device = await world.personalise("1.1", "0000000000000006", "00000006");
  // 1.1 binds the channel into the MIC: the same counter sent on two channels makes two different frames.
  const one = device.uplink({ payload: hex("01"), fCnt: 0, txCh: 0 });
  const two = device.uplink({ payload: hex("01"), fCnt: 0, txCh: 1 });
  await world.hear(reception(one), reception(two, { hz: 868_300_000 }));
  await world.hear(reception(device.uplink({ payload: hex("02"), fCnt: 1 })));
  await until(() => uplinksOf(device.devEui).length >= 2);
  expect(uplinksOf(device.devEui).map(({ fCntUp }) => fCntUp)).toEqual([0, 1]);
});

test("LinkCheckReq and DeviceTimeReq are answered (TS001-1.0.4 §5.1, §5.9); in 1.1 FOpts are encrypted both ways", async () => {
  for (const [version, devEui] of [
    ["1.0.4", "0000000000000007"],
    ["1.1", "0000000000000008"],
  ] as const) {
    const device = await world.personalise(version, devEui, devEui.slice(8));
    const before = world.transmits.length;
    const phy = device.uplink({ commands: [{ name: "LinkCheckReq" }, { name: "DeviceTimeReq" }] });
    await world.hear(reception(phy, { snr: 2 }), reception(phy, { gateway: "0000000000000a02", snr: 1 }));
    const { phyPayload } = await until(() => world.transmits[before]);
    const heard = device.hear(Buffer.from(phyPayload, "base64"), 0);
    expect(heard?.commands.map(({ name }) => name)).toEqual(["LinkCheckAns", "DeviceTimeAns"]);
    expect(heard?.commands[0]).toMatchObject({ margin: 9, gwCnt: 2 });
    expect(heard?.ack).toBe(false);
  }
});

test("ResetInd of a personalised 1.1 device gets ResetConf (LoRaWAN 1.1 §5.1); ADRACKReq any downlink (§4.3.1.1)", async () => {
  const device = await world.personalise("1.1", "0000000000000009", "00000009");
  const before = world.transmits.length;
  await world.hear(reception(device.uplink({ commands: [{ name: "ResetInd", minor: 1 }] })));
  const first = await until(() => world.transmits[before]);
  expect(device.hear(Buffer.from(first.phyPayload, "base64"), 0)?.commands).toEqual([{ name: "ResetConf", minor: 1 }]);
  await world.hear(reception(device.uplink({ adrAckReq: true })));
  const second = await until(() => world.transmits[before + 1]);
  expect(device.hear(Buffer.from(second.phyPayload, "base64"), 1)?.commands).toEqual([]);
});

test("MAC commands on FPort 0 are read, and their payload never leaves (TS001-1.0.4 §5)", async () => {
  const device = await world.personalise("1.0.4", "000000000000000a", "0000000a");
  const before = world.transmits.length;
  await world.hear(reception(device.uplink({ fPort: 0, payload: hex("02") })));
  const { phyPayload } = await until(() => world.transmits[before]);
  expect(device.hear(Buffer.from(phyPayload, "base64"), 0)?.commands[0]?.name).toBe("LinkCheckAns");
  const uplink = await until(() => uplinksOf(device.devEui)[0]);
  expect(uplink).toMatchObject({ frmPayload: "", fCntUp: 0 });
  expect(uplink).not.toHaveProperty("fPort");
});

test("when a gateway refuses, the next best one transmits the same frame", async () => {
  const device = await world.personalise("1.0.4", "000000000000000b", "0000000b");
  const phy = device.uplink({ confirmed: true, payload: hex("01") });
  const before = world.transmits.length;
  world.answerTransmits(({ gateway }) =>
    gateway.endsWith("01")
      ? { result: "refused", code: "schedule/conflict" }
      : { result: "transmitted", window: 0, confirmedByGateway: true },
  );
  await world.hear(
    reception(phy, { gateway: "0000000000000b02", snr: 1 }),
    reception(phy, { gateway: "0000000000000b01", snr: 5 }),
    reception(phy, { gateway: "0000000000000b03", snr: 3, hz: 868_300_000 }),
  );
  await until(() => world.transmits.length === before + 2);
  world.answerTransmits(() => ({ result: "transmitted", window: 0, confirmedByGateway: true }));
  const [first, second] = world.transmits.slice(before);
  expect([first?.gateway, second?.gateway]).toEqual(["0000000000000b01", "0000000000000b02"]);
  expect(second?.phyPayload).toBe(first?.phyPayload);
});

test("what is no frame of ours is counted by name, and nothing changes", async () => {
  const counts = async () =>
    Promise.all(
      [
        ...["uplink/malformed", "uplink/unknown-dev-addr", "uplink/other-network", "uplink/proprietary"],
        ...["uplink/not-uplink", "rejoin/no-session"],
      ].map(outcome),
    );
  const before = await counts();
  const stranger = hex("4001020304000100010000000000");
  await world.hear(
    reception(hex("40")),
    reception(hex("4099999900000000000000000000")),
    reception(stranger.map((octet, i) => (i === 4 ? 0xfe : octet))),
    reception(hex("e00102")),
    reception(hex("6001020304000100010000000000")),
    reception(hex("c000000000000000000000000000000000000000").subarray(0, 19)),
  );
  await expect.poll(counts).toEqual(before.map((count) => count + 1));
});

test("one malformed reception spoils no neighbour, and a body that is no list is refused", async () => {
  const device = await world.personalise("1.0.4", "000000000000000c", "0000000c");
  const good = reception(device.uplink({ payload: hex("01") }));
  const wrong = [null, 7, {}, { ...good, hz: "868.1" }, { ...good, gateway: "GATEWAY" }, { ...good, receivedAt: 1.5 }];
  await world.link().request("uplinks", { receptions: [...wrong, good] });
  await until(() => uplinksOf(device.devEui).length === 1);
  await expect(world.link().request("uplinks", { receptions: 5 })).rejects.toMatchObject({ code: "link/invalid-body" });
});
