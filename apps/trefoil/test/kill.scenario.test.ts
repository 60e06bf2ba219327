/** DESIGN §4: `kill -9` of anything at any moment loses no acknowledged uplink, delivers none as two, and accepts no replay. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { NetworkEvent, Role } from "@trefoil/wire";
import mqtt from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { processes } from "../src/supervisor/processes.ts";
import {
  createApplication,
  createGateway,
  makeAbpDevice,
  nextUplink,
  openGateway,
  register,
  startTestNetwork,
  type TestNetwork,
  until,
} from "./kit.ts";

const kills = Number(process.env.TREFOIL_TEST_KILLS ?? 200);
const deviceCount = 40;
const gatewayEui = "0016c001f1500009";

let net: TestNetwork;
beforeAll(async () => {
  // A process killed again soon after its restart is this test's own doing, not a reason to wait longer each time.
  net = await startTestNetwork({ livedWellMs: 0 });
});
afterAll(() => net?.close());

test(`SIGKILL of random processes at ${kills} random moments under traffic`, { timeout: 600_000 }, async () => {
  const credential = await createApplication(net, "kill-test");
  await createGateway(net, "gw", gatewayEui);
  const devices = Array.from({ length: deviceCount }, (_, i) => makeAbpDevice(i));
  const last = makeAbpDevice(deviceCount);
  await register(net, "kill-test", [...devices, last]);

  const received: string[] = [];
  const { host, port } = net.address("application-server", "mqtt");
  const client = mqtt.connect(`mqtt://${host}:${port}`, {
    ...credential,
    clean: false,
    clientId: "kill-test",
    reconnectPeriod: 100,
  });
  client.on("error", () => undefined);
  client.on("message", (_topic, payload) => received.push(uplinkId(JSON.parse(payload.toString()))));
  await client.subscribeAsync("v3/kill-test/devices/+/up", { qos: 1 });

  const gateway = await openGateway(net.address("gateway-server", "udp"), gatewayEui);
  const sent: Buffer[] = [];
  let n = 0;
  const traffic = setInterval(() => {
    const frames = Array.from({ length: 4 }, () =>
      nextUplink(devices[n++ % deviceCount] as ReturnType<typeof makeAbpDevice>, Buffer.from(`uplink ${n}`)),
    );
    sent.push(...frames);
    gateway.push(frames);
    // An attacker who heard everything so far sends some of it again, all the time.
    if (sent.length > 200) gateway.push([sent[Math.floor(Math.random() * (sent.length - 150))] as Buffer]);
  }, 20);

  const roles = processes.map(({ role }) => role);
  for (let done = 0; done < kills; ) {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 2_000));
    const role = roles[Math.floor(Math.random() * roles.length)] as Role;
    const pid = net.network.running()[role]?.pid;
    if (pid === undefined) continue;
    process.kill(pid, "SIGKILL");
    done++;
  }
  clearInterval(traffic);
  await until("everything runs again", () => roles.every((role) => net.network.running()[role] !== undefined), 60_000);

  // Something sent after all the kills goes all the way: then the outboxes before it are empty too.
  let settled = "";
  const probe = setInterval(() => gateway.push([nextUplink(last, Buffer.from("the end"))]), 1_000);
  client.on("message", (_topic, payload) => {
    const message = JSON.parse(payload.toString());
    if (Buffer.from(message.uplink_message.frm_payload ?? "", "base64").toString() === "the end")
      settled = uplinkId(message);
  });
  await until("an uplink arrives after the kills", () => settled !== "", 90_000);
  clearInterval(probe);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  gateway.close();
  await client.endAsync(true);
  await net.network.stop();

  const acknowledged = acknowledgedUplinks(net);
  const perFrame = new Set(acknowledged.map(({ devEui, fCntUp }) => `${devEui}/${fCntUp}`));
  expect(acknowledged.length).toBeGreaterThan(1_000);
  // Every claimed counter stands once in the outbox: no replay was accepted.
  expect(perFrame.size).toBe(acknowledged.length);
  // At least once, with stable ids: the same set on both ends.
  const got = new Set(received);
  expect(acknowledged.filter(({ id }) => !got.has(id))).toEqual([]);
  expect(got.size).toBe(acknowledged.length);
});

type UpMessage = { correlation_ids?: string[] };
const uplinkId = ({ correlation_ids }: UpMessage) => (correlation_ids ?? []).join(",");

/** The network-server's own record, read from a copy of its store. */
function acknowledgedUplinks({ dataDir }: TestNetwork): Extract<NetworkEvent, { is: "uplink" }>[] {
  const folder = mkdtempSync(join(tmpdir(), "outbox-"));
  try {
    for (const suffix of ["", "-wal", "-shm"]) {
      const file = join(dataDir, "network-server", `store.sqlite${suffix}`);
      if (existsSync(file)) copyFileSync(file, join(folder, `store.sqlite${suffix}`));
    }
    return readOutbox(join(folder, "store.sqlite"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function readOutbox(file: string): Extract<NetworkEvent, { is: "uplink" }>[] {
  const store = new DatabaseSync(file);
  const rows = store.prepare("SELECT events FROM outbox ORDER BY sequence").all() as { events: string }[];
  store.close();
  return rows.flatMap(({ events }) => JSON.parse(events) as NetworkEvent[]).filter((event) => event.is === "uplink");
}
