import type { InProcess, TestNetwork } from "@trefoil/service/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  admin,
  createApplication,
  FakeDevice,
  FakeNetworkServer,
  makeFolder,
  startServer,
  subscriber,
  textOf,
} from "./harness.ts";

let network: TestNetwork;
let running: InProcess;
let ns: FakeNetworkServer;

beforeEach(async () => {
  network = await makeFolder();
  running = await startServer(network);
  ns = new FakeNetworkServer(network, running.listeners.link as never);
  await ns.up();
});
afterEach(async () => {
  await ns.link.close();
  await running.stop();
  network.remove();
});

describe("uplinks", () => {
  test("a joined device's uplink reaches a QoS 1 subscriber in the clear", async () => {
    const device = new FakeDevice(1);
    const credentials = await createApplication(network, "parking");
    expect((await admin(network, "POST", "/devices", [device.registration("parking")])).body).toEqual({
      results: [{ ok: true }],
    });
    const client = await subscriber(running, credentials, "v3/parking/devices/+/up", "v3/+/devices/+/join");
    const { events } = await ns.send(device.join(), device.uplink("hello"));
    const [join, up] = await client.got(2);
    expect(join?.topic).toBe("v3/parking/devices/sensor-1/join");
    expect(up?.topic).toBe("v3/parking/devices/sensor-1/up");
    expect(up?.qos).toBe(1);
    expect(textOf(up)).toBe("hello");
    expect(client.ids()).toEqual(events.map(({ id }) => id));
    await client.end();
  });
});
