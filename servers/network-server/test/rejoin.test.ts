import { type InProcess, startInProcess } from "@trefoil/service/testing";
import type { Transmit } from "@trefoil/wire";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { networkServer } from "../src/index.ts";
import type { Answer } from "../src/testing.ts";
import { hex, type TestDevice } from "./device.ts";
import { appKey, makeWorld, reception, rootKey, until, type World } from "./world.ts";

let world: World;
let server: InProcess;
async function start() {
  server = await startInProcess(networkServer, world.boot);
  await world.connectGateway(server.listeners.link as { host: string; port: number });
}
beforeAll(async () => {
  world = await makeWorld({ rxDelay: 3 });
  await start();
});
afterEach(() => world.joinServer.change((answer) => answer));
afterAll(async () => {
  await server.stop();
  await world.end();
});

type Type = 0 | 1 | 2;
const octets = ({ phyPayload }: Transmit) => Buffer.from(phyPayload, "base64");
const eventsOf = (devEui: string) => world.application.events().filter((event) => event.devEui === devEui);
const view = (device: TestDevice) =>
  world.admin<{ sessions: { devAddr: string; isPending: boolean; rjCount0?: number }[] }>(
    "GET",
    `/devices/${device.devEui}`,
  );
const outcome = async (slug: string) => {
  const { port, host } = server.listeners.http as { host: string; port: number };
  const text = await (await fetch(`http://${host}:${port}/metrics`)).text();
  return Number(new RegExp(`trefoil_uplink_frames_total\\{outcome="${slug}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
};
/** Waits until one more frame than before had this outcome. */
const becomes = async (slug: string, act: () => Promise<unknown>) => {
  const before = await outcome(slug);
  await act();
  await expect.poll(() => outcome(slug)).toBe(before + 1);
};

/** A device of 1.1 that has joined and is heard. */
async function joined(devEui: string): Promise<TestDevice> {
  const device = await world.register("1.1", devEui);
  const before = world.transmits.length;
  await world.hear(reception(device.joinRequest(rootKey, 1)));
  device.accept(octets(await until(() => world.transmits[before])), rootKey, appKey, 1);
  await world.hear(reception(device.uplink({ payload: hex("01") })));
  return device;
}
const request = (device: TestDevice, type: Type, rjCount: number) =>
  device.rejoinRequest(type, rjCount, type === 1 ? { rootKey } : {});
const expectRejoin = (device: TestDevice) => world.admin("POST", `/devices/${device.devEui}/expect-rejoin`);

async function rejoin(device: TestDevice, type: Type, rjCount: number) {
  const [before, asked] = [world.transmits.length, world.joinServer.asked.length];
  await world.hear(reception(request(device, type, rjCount)));
  const transmit = await until(() => world.transmits[before]);
  const fields = device.accept(octets(transmit), rootKey, appKey, rjCount, type);
  return { transmit, fields, asked: world.joinServer.asked[asked] };
}

describe.each([0, 1, 2] as const)("rejoin-request type %i (LoRaWAN 1.1 §6.2.4)", (type) => {
  test("RejoinReq to the join-server; the accept 5 s and 6 s later; the old session serves until the new one's first uplink", async () => {
    const device = await joined(`00000000000003${type}0`.padStart(16, "0"));
    if (type === 2) await expectRejoin(device);
    const old = { devAddr: device.devAddr, keys: device.keys, fCntUp: device.fCntUp };
    const { transmit, fields, asked } = await rejoin(device, type, 4);
    expect(asked).toMatchObject({
      MessageType: "RejoinReq",
      MACVersion: "1.1",
      DevEUI: device.devEui,
      ReceiverID: device.joinEui,
    });
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
      dlSettings: { optNeg: true, rx1DrOffset: 0, rx2DataRate: 0 },
      cfList: { type: 0, frequencies: [867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000] },
    });
    const fresh = { devAddr: device.devAddr, keys: device.keys, fCntUp: device.fCntUp };

    Object.assign(device, old);
    await world.hear(reception(device.uplink({ payload: hex("02") })));
    expect((await view(device)).sessions).toHaveLength(2);
    const late = device.uplink({ payload: hex("04") });
    Object.assign(device, fresh);
    const before = world.transmits.length;
    const first = device.uplink({ payload: hex("03"), confirmed: true, commands: [{ name: "RekeyInd", minor: 1 }] });
    await world.hear(reception(first));
    const answer = device.hear(octets(await until(() => world.transmits[before])), 0);
    expect(answer).toMatchObject({ ack: true, commands: [{ name: "RekeyConf", minor: 1 }] });
    expect(world.transmits[before]?.windows[0]?.delayUs).toBe(3_000_000);
    const { sessions } = await view(device);
    expect(sessions).toMatchObject([{ devAddr: fresh.devAddr, isPending: false }]);
    expect(sessions[0]).not.toHaveProperty("rjCount0"); // It begins anew.
    await becomes("uplink/unknown-dev-addr", () => world.hear(reception(late)));
    await until(() => eventsOf(device.devEui).length === 5);
    expect(eventsOf(device.devEui).map(({ is, devAddr }) => [is, devAddr])).toEqual([
      ["join", old.devAddr],
      ["uplink", old.devAddr],
      ["join", fresh.devAddr],
      ["uplink", old.devAddr],
      ["uplink", fresh.devAddr],
    ]);
  });

  test("heard by several gateways it is asked once, and answered over the best one", async () => {
    const device = await joined(`00000000000003${type}1`.padStart(16, "0"));
    if (type === 2) await expectRejoin(device);
    const phy = request(device, type, 0);
    const [asked, sent] = [world.joinServer.asked.length, world.transmits.length];
    await world.hear(
      reception(phy, { gateway: "0000000000000c01", snr: -5 }),
      reception(phy, { gateway: "0000000000000c02", snr: 5 }),
    );
    expect((await until(() => world.transmits[sent])).gateway).toBe("0000000000000c02");
    expect(world.joinServer.asked.length).toBe(asked + 1);
  });

  test("the join-server's refusal changes nothing", async () => {
    const device = await joined(`00000000000003${type}2`.padStart(16, "0"));
    if (type === 2) await expectRejoin(device);
    world.joinServer.change((answer: Answer) => ({ ...answer, Result: { code: "FrameReplayed" } }));
    await becomes("rejoin/refused", () => world.hear(reception(request(device, type, 0))));
    expect((await view(device)).sessions).toMatchObject([{ devAddr: device.devAddr, isPending: false }]);
  });

  test("a JoinAns is no answer to a RejoinReq", async () => {
    const device = await joined(`00000000000003${type}3`.padStart(16, "0"));
    if (type === 2) await expectRejoin(device);
    world.joinServer.change((answer: Answer) => ({ ...answer, MessageType: "JoinAns" }));
    await becomes("rejoin/malformed-answer", () => world.hear(reception(request(device, type, 0))));
  });
});

describe("types 0 and 2 are checked here (LoRaWAN 1.1 §6.2.4.1)", () => {
  const never = async (slug: string, phy: Uint8Array) => {
    const [asked, sent] = [world.joinServer.asked.length, world.transmits.length];
    await becomes(slug, () => world.hear(reception(phy)));
    expect([world.joinServer.asked.length, world.transmits.length]).toEqual([asked, sent]);
  };

  test("a MIC of another key, another network's NetID, a device without such a session: discarded", async () => {
    const device = await joined("0000000000000340");
    const forged = device.rejoinRequest(0, 0);
    forged[forged.length - 1] = (forged.at(-1) as number) ^ 1;
    await never("rejoin/mic", forged);
    await never("rejoin/mic", device.rejoinRequest(0, 0, { rootKey }));
    await never("rejoin/other-network", device.rejoinRequest(0, 0, { netId: "000013" }));
    const stranger = Object.assign(Object.create(device), { devEui: "0000000000000341" }) as TestDevice;
    await never("rejoin/no-session", stranger.rejoinRequest(0, 0));
    const personalised = await world.personalise("1.1", "0000000000000342", "00345678");
    await never("rejoin/no-session", personalised.rejoinRequest(0, 0));
  });

  test("RJcount0 must rise, also after a restart", async () => {
    const device = await joined("0000000000000350");
    const old = { devAddr: device.devAddr, keys: device.keys };
    await rejoin(device, 0, 7);
    Object.assign(device, old); // The accept was not heard.
    await server.stop();
    await start();
    await never("rejoin/replay", device.rejoinRequest(0, 7));
    await never("rejoin/replay", device.rejoinRequest(0, 6));
    await becomes("rejoin/accepted", () => world.hear(reception(device.rejoinRequest(0, 8))));
  });

  test("type 2 that nobody asked for is discarded; asked for, also across a restart, it is answered for as long as the session lasts", async () => {
    const device = await joined("0000000000000360");
    await never("rejoin/not-asked", device.rejoinRequest(2, 0));
    await expectRejoin(device);
    const old = { devAddr: device.devAddr, keys: device.keys };
    await rejoin(device, 2, 1);
    await server.stop();
    await start();
    const fresh = { devAddr: device.devAddr, keys: device.keys };
    Object.assign(device, old);
    await rejoin(device, 2, 2);
    expect(device.devAddr).not.toBe(fresh.devAddr);
    await world.hear(reception(device.uplink({ payload: hex("01") })));
    await never("rejoin/not-asked", device.rejoinRequest(2, 0));
  });

  test("a rejoin-request under the waiting session's key brings that session into use", async () => {
    const device = await joined("0000000000000370");
    const { devAddr: first } = device;
    await rejoin(device, 0, 0);
    const { devAddr: second } = device;
    await becomes("rejoin/accepted", () => world.hear(reception(device.rejoinRequest(0, 0))));
    const { sessions } = await view(device);
    expect(sessions.find(({ isPending }) => !isPending)?.devAddr).toBe(second);
    expect(sessions.map(({ devAddr }) => devAddr)).not.toContain(first);
    // Its accept was lost: the device goes on.
    await becomes("uplink/accepted", () => world.hear(reception(device.uplink({ payload: hex("01") }))));
  });

  test("only a device with a session of 1.1 can be asked", async () => {
    const device = await world.register("1.1", "0000000000000380");
    expect(await expectRejoin(device)).toMatchObject({ error: { code: "device/no-session" } });
  });
});

test("type 1 is for devices of 1.1 with this JoinEUI, and restores one whose session this network has lost", async () => {
  const old = await world.register("1.0.4", "0000000000000390");
  await becomes("rejoin/unknown-device", () => world.hear(reception(old.rejoinRequest(1, 0, { rootKey }))));
  const device = await world.register("1.1", "0000000000000391");
  const other = Object.assign(Object.create(device), { joinEui: "70b3d57ed0000009" }) as TestDevice;
  await becomes("rejoin/unknown-device", () => world.hear(reception(other.rejoinRequest(1, 0, { rootKey }))));
  const { fields } = await rejoin(device, 1, 0);
  expect(fields).toBeDefined();
  await becomes("uplink/accepted", () => world.hear(reception(device.uplink({ payload: hex("01") }))));
});
