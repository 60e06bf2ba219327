import { openEnvelope } from "@trefoil/custody";
import { type InProcess, startInProcess } from "@trefoil/service/testing";
import type { Transmit } from "@trefoil/wire";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { networkServer } from "../src/index.ts";
import type { Answer } from "../src/testing.ts";
import { hex, type TestDevice, type Version } from "./device.ts";
import { appKey, asKek, makeWorld, reception, rootKey, until, type World } from "./world.ts";

let world: World;
let server: InProcess;
beforeAll(async () => {
  world = await makeWorld({ rxDelay: 3 });
  server = await startInProcess(networkServer, world.boot);
  await world.connectGateway(server.listeners.link as { host: string; port: number });
});
afterEach(() => world.joinServer.change((answer) => answer));
afterAll(async () => {
  await server.stop();
  await world.end();
});

const octets = ({ phyPayload }: Transmit) => Buffer.from(phyPayload, "base64");
const eventsOf = (devEui: string) => world.application.events().filter((event) => event.devEui === devEui);
const outcome = async (slug: string) => {
  const { port, host } = server.listeners.http as { host: string; port: number };
  const text = await (await fetch(`http://${host}:${port}/metrics`)).text();
  return Number(new RegExp(`trefoil_uplink_frames_total\\{outcome="${slug}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
};

async function join(device: TestDevice, devNonce: number) {
  const before = world.transmits.length;
  await world.hear(reception(device.joinRequest(rootKey, devNonce)));
  const transmit = await until(() => world.transmits[before]);
  const fields = device.accept(octets(transmit), rootKey, appKey, devNonce);
  return { transmit, fields };
}

test.each(["1.0.4", "1.1"] as const)(
  "%s: a device joins, its first uplink is delivered after the join event (TS001 §6.2)",
  async (version: Version) => {
    const device = await world.register(version, `00000000000001${version === "1.1" ? "11" : "04"}`);
    const { transmit, fields } = await join(device, 1);
    expect(transmit).toMatchObject({
      priority: "join-accept",
      windows: [
        { delayUs: 5_000_000, hz: 868_100_000, dataRate: "SF7BW125" },
        { delayUs: 6_000_000, hz: 869_525_000, dataRate: "SF12BW125" },
      ],
    });
    expect(fields).toMatchObject({
      netId: "000000",
      rxDelay: 3,
      dlSettings: { optNeg: version === "1.1", rx1DrOffset: 0, rx2DataRate: 0 },
      cfList: { type: 0, frequencies: [867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000] },
    });
    expect(Number.parseInt(device.devAddr, 16)).toBeLessThan(2 ** 25); // NetID 000000

    const before = world.transmits.length;
    const rekey = version === "1.1" ? [{ name: "RekeyInd", minor: 1 } as const] : [];
    await world.hear(reception(device.uplink({ payload: hex("01"), confirmed: true, commands: rekey })));
    const answer = device.hear(octets(await until(() => world.transmits[before])), 0);
    expect(answer).toMatchObject({ ack: true, commands: version === "1.1" ? [{ name: "RekeyConf", minor: 1 }] : [] });
    expect(world.transmits[before]?.windows[0]?.delayUs).toBe(3_000_000); // RxDelay of the join-accept

    await until(() => eventsOf(device.devEui).length === 2);
    const [joined, uplink] = eventsOf(device.devEui);
    expect(joined).toMatchObject({ is: "join", joinEui: device.joinEui, devAddr: device.devAddr });
    expect(uplink).toMatchObject({ is: "uplink", fCntUp: 0, sessionKeyId: joined?.sessionKeyId });
    // The AppSKey is for the application-server: this server passes the envelope on and cannot open it.
    const envelope = joined?.is === "join" ? joined.appSKey : undefined;
    const opened = openEnvelope(asKek, envelope, "AppSKey");
    expect(
      opened.result === "opened" && opened.key.expose((key) => Buffer.compare(key, device.keys?.appSKey ?? key)),
    ).toBe(0);
  },
);

test("1.1: the device's own channel is in the uplink's MIC, also one that the CFList added (LoRaWAN 1.1 §4.4)", async () => {
  const device = await world.register("1.1", "0000000000000120");
  await join(device, 1);
  const onChannel5 = reception(device.uplink({ payload: hex("01"), txCh: 5 }), { hz: 867_499_976, channel: 2 });
  await world.hear(onChannel5);
  await until(() => eventsOf(device.devEui).some(({ is }) => is === "uplink"));
});

test("the old session serves until the first uplink of the new one (TS001-1.0.4 §6.2.6)", async () => {
  const device = await world.register("1.0.4", "0000000000000130");
  await join(device, 1);
  await world.hear(reception(device.uplink({ payload: hex("01") })));
  const old = { devAddr: device.devAddr, keys: device.keys, fCntUp: device.fCntUp };
  await join(device, 2);
  const fresh = { devAddr: device.devAddr, keys: device.keys, fCntUp: device.fCntUp };

  Object.assign(device, old);
  await world.hear(reception(device.uplink({ payload: hex("02") })));
  const left = device.uplink({ payload: hex("04") });
  Object.assign(device, fresh);
  await world.hear(reception(device.uplink({ payload: hex("03") })));
  const uplinks = () => eventsOf(device.devEui).filter(({ is }) => is === "uplink");
  await until(() => uplinks().length === 3);
  expect(uplinks().map(({ devAddr }) => devAddr)).toEqual([old.devAddr, old.devAddr, fresh.devAddr]);

  const unknown = await outcome("uplink/unknown-dev-addr");
  await world.hear(reception(left));
  expect(await outcome("uplink/unknown-dev-addr")).toBe(unknown + 1);
  const { sessions } = await world.admin<{ sessions: { isPending: boolean }[] }>("GET", `/devices/${device.devEui}`);
  expect(sessions).toMatchObject([{ devAddr: fresh.devAddr, isPending: false, fCntUp: 0 }]);
});

test("one join-request heard by several gateways is asked once, and answered over the best one", async () => {
  const device = await world.register("1.0.4", "0000000000000140");
  const phy = device.joinRequest(rootKey, 1);
  const [asked, sent] = [world.joinServer.asked.length, world.transmits.length];
  await world.hear(
    reception(phy, { gateway: "0000000000000c01", snr: -5 }),
    reception(phy, { gateway: "0000000000000c02", snr: 5 }),
  );
  const transmit = await until(() => world.transmits[sent]);
  expect(transmit.gateway).toBe("0000000000000c02");
  expect(world.joinServer.asked.length).toBe(asked + 1);
});

test("while one join-request of a device is under way, another one is not passed on", async () => {
  const device = await world.register("1.0.4", "0000000000000150");
  const [asked, busy] = [world.joinServer.asked.length, await outcome("join/busy")];
  const open = world.joinServer.hold();
  await world.hear(reception(device.joinRequest(rootKey, 1)));
  await world.hear(reception(device.joinRequest(rootKey, 2)));
  open();
  await until(() => world.joinServer.asked.length > asked);
  expect(await outcome("join/busy")).toBe(busy + 1);
  expect(world.joinServer.asked.length).toBe(asked + 1);
});

test.each([
  [
    1,
    "a device of 1.1 is never made one of 1.0 (LoRaWAN 1.1 §6.2.3)",
    "join/downgraded",
    ({ FNwkSIntKey, ...rest }: Answer) => ({ ...rest, NwkSKey: FNwkSIntKey }),
  ],
  [2, "the join-server refuses", "join/refused", (answer: Answer) => ({ ...answer, Result: { code: "MICFailed" } })],
  [
    3,
    "an envelope is under another KEK",
    "join/keys",
    (answer: Answer) => ({ ...answer, SNwkSIntKey: answer.AppSKey }),
  ],
  [4, "a key is missing", "join/malformed-answer", ({ NwkSEncKey: _, ...rest }: Answer) => rest],
  [
    6,
    "neither AppSKey nor SessionKeyID is there",
    "join/malformed-answer",
    ({ AppSKey: _, SessionKeyID: __, ...rest }: Answer) => rest,
  ],
  [
    5,
    "it answers another question",
    "join/malformed-answer",
    (answer: Answer) => ({ ...answer, TransactionID: (answer.TransactionID + 1) % 2 ** 32 }),
  ],
])("%i: no session and no join-accept when %s", async (n, _, slug, change) => {
  const device = await world.register("1.1", `000000000000020${n}`);
  world.joinServer.change(change);
  const [before, sent] = [await outcome(slug), world.transmits.length];
  await world.hear(reception(device.joinRequest(rootKey, 1)));
  await expect.poll(() => outcome(slug)).toBe(before + 1);
  expect(world.transmits.length).toBe(sent);
  expect(eventsOf(device.devEui)).toEqual([]);
  expect(await world.admin("GET", `/devices/${device.devEui}`)).toMatchObject({ sessions: [] });
});

test.each([
  [1, "the SessionKeyID alone: the event has no AppSKey", ({ AppSKey: _, ...rest }: Answer) => rest],
  [2, "the AppSKey alone: the session gets a name here", ({ SessionKeyID: _, ...rest }: Answer) => rest],
])("%i: a JoinAns may bring %s (TS002-1.0.0 §8)", async (n, _, change) => {
  const device = await world.register("1.1", `000000000000021${n}`);
  world.joinServer.change(change);
  await join(device, 1);
  await world.hear(reception(device.uplink({ payload: hex("01") })));
  await until(() => eventsOf(device.devEui).length === 2);
  const [joined, uplink] = eventsOf(device.devEui);
  expect(joined).toHaveProperty("sessionKeyId", uplink?.sessionKeyId);
  expect(joined?.sessionKeyId).toMatch(/^[0-9a-f]{32}$/);
  expect(joined?.is === "join" && joined.appSKey !== undefined).toBe(n === 2);
});

test("a key in the clear, without a KEK label, is no key (docs/authority.md)", async () => {
  const device = await world.register("1.0.4", "0000000000000220");
  const before = await outcome("join/malformed-answer");
  world.joinServer.tamper((body) => ({ ...body, NwkSKey: { KEKLabel: "", AESKey: "00".repeat(16) } }));
  await world.hear(reception(device.joinRequest(rootKey, 1)));
  await expect.poll(() => outcome("join/malformed-answer")).toBe(before + 1);
  world.joinServer.tamper((body) => body);
});

test("a join-request of an unknown device, or with another JoinEUI, is not passed on", async () => {
  const device = await world.register("1.0.4", "0000000000000160");
  const [asked, unknown] = [world.joinServer.asked.length, await outcome("join/unknown-device")];
  const other = Object.assign(Object.create(device), { joinEui: "70b3d57ed0000002" }) as TestDevice;
  const stranger = Object.assign(Object.create(device), { devEui: "0000000000000161" }) as TestDevice;
  await world.hear(reception(other.joinRequest(rootKey, 1)), reception(stranger.joinRequest(rootKey, 1)));
  await expect.poll(() => outcome("join/unknown-device")).toBe(unknown + 2);
  expect(world.joinServer.asked.length).toBe(asked);
});
